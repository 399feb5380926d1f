/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random lists of rules with every match field, and packets that come close to
 * them. For one file: the functions are static. They are cmocka's: a test that
 * includes this has included cmocka.h before.
 */
#ifndef SLUICE_TEST_COMPILE_LISTS_H
#define SLUICE_TEST_COMPILE_LISTS_H

#include <stdlib.h>
#include <string.h>

#include "lib/config.h"
#include "random_prefix.h"
#include "xdp/classify.h"

#define PREFIXES_MAX 64
#define RULES_MAX 400

static struct sl_addr random_addr(const struct sl_set *set)
{
	struct sl_addr a = { .negated = random_below(4) == 0 };

	switch (random_below(4)) {
	case 0:
		a.kind = SL_ADDR_SET;
		a.set = set;
		break;
	case 1:
		a.kind = SL_ADDR_PREFIXES;
		a.n_prefixes = 1 + random_below(4);
		a.prefixes = calloc(a.n_prefixes, sizeof(*a.prefixes));
		assert_non_null(a.prefixes);
		for (size_t i = 0; i < a.n_prefixes; i++)
			a.prefixes[i] = random_prefix(false);
		break;
	default:
		a.kind = SL_ADDR_ANY;
		a.negated = false;
	}
	return a;
}

static uint16_t random_port(void)
{
	static const uint16_t ports[] = { 0,	 1,	53,    80,    255,
					  256,	 443,	8000,  8100,  32767,
					  32768, 65279, 65280, 65534, 65535 };

	return random_below(3) ? ports[random_below(15)] :
				 (uint16_t)random_below(65536);
}

static struct sl_ports random_ports(void)
{
	struct sl_ports p = { .any = random_below(3) != 0 };

	if (p.any)
		return p;
	p.n_ranges = 1 + random_below(5);
	p.ranges = calloc(p.n_ranges, sizeof(*p.ranges));
	assert_non_null(p.ranges);
	for (size_t i = 0; i < p.n_ranges; i++) {
		uint16_t a = random_port(), b = random_port();

		if (random_below(2))
			b = a;
		p.ranges[i].low = a < b ? a : b;
		p.ranges[i].high = a < b ? b : a;
	}
	return p;
}

/* Small numbers, so that rules and packets meet; the ends, too. */
static uint16_t random_number(uint16_t last)
{
	return one_in(4) ? (uint16_t)(last - random_below(2)) :
			   (uint16_t)random_below(4);
}

static void random_options(struct sl_options *o, const struct sl_set *set)
{
	static const uint32_t one_of_ten[] = {
		SL_OPT_FLAGS,  SL_OPT_ICMP_TYPE, SL_OPT_ICMP_CODE,
		SL_OPT_DSCP,   SL_OPT_VLAN,	 SL_OPT_INNER_VLAN,
		SL_OPT_LENGTH, SL_OPT_ETHERTYPE, SL_OPT_MAC_SRC,
		SL_OPT_MAC_DST
	};

	for (size_t i = 0; i < sizeof(one_of_ten) / sizeof(*one_of_ten); i++)
		if (one_in(10))
			o->written |= one_of_ten[i];
	if (o->written & SL_OPT_ICMP_CODE)
		o->written |= SL_OPT_ICMP_TYPE;
	o->flags_mask = (uint8_t)random_below(256);
	o->flags_value = (uint8_t)random_below(256) & o->flags_mask;
	o->icmp_type = (uint8_t)random_number(255);
	o->icmp_code = (uint8_t)random_number(255);
	o->dscp = (uint8_t)random_number(63);
	o->vlan = random_number(4095);
	o->inner_vlan = random_number(4095);
	o->ethertype = one_in(2) ? 0x0800 : random_number(65535);
	o->length_low = random_below(4) * 20;
	o->length_high = one_in(4) ? 65535 : o->length_low + random_below(60);
	o->mac_src = (struct sl_mac_match){ one_in(3), set };
	o->mac_dst = (struct sl_mac_match){ one_in(3), set };
}

static struct sl_mac random_mac(void)
{
	struct sl_mac mac = { { 2, 0, 0, 0, (uint8_t)random_below(2),
				(uint8_t)random_number(255) } };

	return mac;
}

static struct sl_rule random_rule(struct sl_set **sets, size_t n_sets)
{
	struct sl_rule r = { 0 };

	r.verdict.action = (enum sl_action)random_below(2);
	r.on = random_below(6) == 0 ? strdup(random_below(2) ? "a" : "b") :
				      NULL;
	r.src = random_addr(sets[random_below((uint32_t)n_sets)]);
	r.dst = random_addr(sets[random_below((uint32_t)n_sets)]);
	r.proto = (enum sl_proto)random_below(SL_PROTO_NUMBER + 1);
	r.proto_number = (uint8_t)random_below(64);
	r.sport = r.dport = (struct sl_ports){ .any = true };
	if (r.proto == SL_PROTO_TCP || r.proto == SL_PROTO_UDP ||
	    r.proto == SL_PROTO_SCTP) {
		r.sport = random_ports();
		r.dport = random_ports();
	}
	if (random_below(6) == 0) {
		r.options.written |= SL_OPT_FRAGMENT;
		r.options.fragment = (enum sl_fragment)(1 + random_below(4));
	}
	random_options(&r.options, sets[random_below((uint32_t)n_sets)]);
	return r;
}

static struct sl_config random_config(void)
{
	struct sl_config c = { 0 };

	c.n_sets = 4;
	c.sets = calloc(c.n_sets, sizeof(*c.sets));
	assert_non_null(c.sets);
	for (size_t i = 0; i < c.n_sets; i++) {
		struct sl_set *s = c.sets[i] = calloc(1, sizeof(*s));

		s->n_prefixes = random_below(PREFIXES_MAX);
		s->prefixes = calloc(s->n_prefixes + 1, sizeof(*s->prefixes));
		for (size_t p = 0; p < s->n_prefixes; p++)
			s->prefixes[p] = random_prefix(false);
		s->n_macs = random_below(4);
		s->macs = calloc(s->n_macs + 1, sizeof(*s->macs));
		for (size_t m = 0; m < s->n_macs; m++)
			s->macs[m] = random_mac();
	}
	c.n_rules = 1 + random_below(random_below(2) ? RULES_MAX : 8);
	c.rules = calloc(c.n_rules, sizeof(*c.rules));
	assert_non_null(c.rules);
	for (size_t i = 0; i < c.n_rules; i++)
		c.rules[i] = random_rule(c.sets, c.n_sets);
	return c;
}

static void free_config(struct sl_config *c)
{
	for (size_t i = 0; i < c->n_rules; i++) {
		free(c->rules[i].on);
		free(c->rules[i].src.prefixes);
		free(c->rules[i].dst.prefixes);
		free(c->rules[i].sport.ranges);
		free(c->rules[i].dport.ranges);
	}
	for (size_t i = 0; i < c->n_sets; i++) {
		free(c->sets[i]->prefixes);
		free(c->sets[i]->macs);
		free(c->sets[i]);
	}
	free(c->sets);
	free(c->rules);
}

/* An address in or beside some prefix of the configuration. */
static void random_address(const struct sl_config *c, unsigned family,
			   __u64 out[2])
{
	const struct sl_set *s = c->sets[random_below((uint32_t)c->n_sets)];
	struct sl_prefix p = random_prefix(false);
	unsigned size = family == SL_FAMILY_IP4 ? 4 : 16, bit;
	uint8_t bytes[16] = { 0 };

	if (s->n_prefixes && random_below(4))
		p = s->prefixes[random_below((uint32_t)s->n_prefixes)];
	memcpy(bytes, p.addr, size);
	for (bit = p.length; bit < size * 8; bit++)
		if (random_below(2))
			bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	if (random_below(4) == 0) {
		bit = random_below(size * 8);
		bytes[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
	}
	out[0] = out[1] = 0;
	for (int i = 0; i < 16; i++)
		out[i / 8] = out[i / 8] << 8 | bytes[i];
}

static __u64 mac_word(struct sl_mac mac)
{
	__u64 word = 0;

	for (int i = 0; i < 6; i++)
		word |= (__u64)mac.addr[i] << (56 - 8 * i);
	return word;
}

static struct sl_packet random_packet(const struct sl_config *c)
{
	static const uint8_t protos[] = { 6, 17, 132, 1, 58, 47, 0 };
	struct sl_packet p = { .proto = SL_PROTO_NONE,
			       .fragment = SL_FRAGMENT_NONE,
			       .vlan = SL_VLAN_NONE,
			       .inner_vlan = SL_VLAN_NONE,
			       .flags = SL_FLAGS_NONE,
			       .dscp = SL_DSCP_NONE,
			       .length = SL_LENGTH_MAX + 1,
			       .has_macs = !one_in(20) };

	p.mac_src = mac_word(random_mac());
	p.mac_dst = mac_word(random_mac());
	p.ethertype = one_in(20) ? SL_FIELD_VALUES : random_number(65535);
	if (one_in(2))
		p.ethertype = 0x0800;
	p.family = random_below(8) ? 1 + random_below(2) : SL_FAMILY_NONE;
	if (random_below(3) == 0)
		p.vlan = random_number(4095);
	if (p.vlan != SL_VLAN_NONE && one_in(2))
		p.inner_vlan = random_number(4095);
	if (p.family == SL_FAMILY_NONE)
		return p;
	random_address(c, p.family, p.src);
	random_address(c, p.family, p.dst);
	p.dscp = (uint8_t)random_number(63);
	p.length = one_in(8) ? 65535 : random_below(120);
	if (random_below(10) == 0)
		return p; /* the protocol could not be read */
	p.proto = protos[random_below(sizeof(protos))];
	p.fragment = random_below(4) ? SL_FRAGMENT_NO : random_below(3);
	if (p.fragment == SL_FRAGMENT_LATER || random_below(16) == 0)
		return p;
	if (p.proto == 6 && !one_in(8))
		p.flags = (uint16_t)random_below(256);
	p.has_icmp = p.proto == (p.family == SL_FAMILY_IP4 ? 1 : 58);
	p.icmp_type = (uint8_t)random_number(255);
	p.icmp_code = (uint8_t)random_number(255);
	p.has_ports = p.proto == 6 || p.proto == 17 || p.proto == 132;
	p.sport = random_port();
	p.dport = random_port();
	return p;
}

#endif /* SLUICE_TEST_COMPILE_LISTS_H */
