/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Random lists of rules in the small world of shadow_world.h. For one file: the
 * functions are static. They are cmocka's: a test that includes this has
 * included cmocka.h before.
 */
#ifndef SLUICE_TEST_SHADOW_LISTS_H
#define SLUICE_TEST_SHADOW_LISTS_H

#include <stdlib.h>

#include "lib/config.h"
#include "random_numbers.h"
#include "shadow_world.h"

#define RULES_MAX 12
#define SETS 3	/* of addresses and MACs; as many live ones */
#define PARTS 3 /* of the dimensions that a list uses */

static struct sl_prefix random_prefix(void)
{
	struct sl_prefix p = { .family = one_in(2) ? 4 : 6 };

	p.length = (uint8_t)random_below(3);
	p.addr[0] = (uint8_t)(random_below(1u << p.length) << (8 - p.length));
	return p;
}

static struct sl_prefix *random_prefixes(size_t *n, size_t least)
{
	struct sl_prefix *prefixes = calloc(least + 4, sizeof(*prefixes));

	assert_non_null(prefixes);
	*n = least + random_below(4);
	for (size_t i = 0; i < *n; i++)
		prefixes[i] = random_prefix();
	return prefixes;
}

/* Live sets stand behind the others; `max`, unused here, is their number. */
static void random_sets(struct sl_config *c)
{
	c->n_sets = SETS + 2;
	c->sets = calloc(c->n_sets, sizeof(*c->sets));
	assert_non_null(c->sets);
	for (size_t i = 0; i < c->n_sets; i++) {
		struct sl_set *s = c->sets[i] = calloc(1, sizeof(*s));

		assert_non_null(s);
		s->live = i >= SETS;
		s->max = s->live ? i - SETS : 0;
		s->prefixes = random_prefixes(&s->n_prefixes, 0);
		s->macs = calloc(2, sizeof(*s->macs));
		assert_non_null(s->macs);
		s->n_macs = random_below(3);
		for (size_t m = 0; m < s->n_macs; m++)
			s->macs[m].addr[5] = (uint8_t)(1 + random_below(3));
	}
}

static struct sl_addr random_addr(const struct sl_config *c, uint32_t used,
				  enum dim d)
{
	struct sl_addr a = { .negated = one_in(4) };

	if (d == SRC && used & 1u << LIVE && one_in(3)) {
		a.kind = SL_ADDR_SET;
		a.set = c->sets[SETS + random_below(2)];
	} else if (!(used & 1u << d) || one_in(3)) {
		a.negated = false;
	} else if (one_in(3)) {
		a.kind = SL_ADDR_SET;
		a.set = c->sets[random_below(SETS)];
	} else {
		a.kind = SL_ADDR_PREFIXES;
		a.prefixes = random_prefixes(&a.n_prefixes, 1);
	}
	return a;
}

static struct sl_ports random_ports(bool used)
{
	static const struct sl_port_range ranges[] = {
		{ 0, 79 }, { 80, 80 },	  { 81, 65535 }, { 0, 65535 },
		{ 0, 80 }, { 80, 65535 }, { 80, 80 },
	};
	struct sl_ports p = { .any = !used || one_in(2) };

	if (p.any)
		return p;
	p.n_ranges = 1 + random_below(2);
	p.ranges = calloc(p.n_ranges, sizeof(*p.ranges));
	assert_non_null(p.ranges);
	for (size_t i = 0; i < p.n_ranges; i++)
		p.ranges[i] = ranges[random_below(7)];
	return p;
}

static void random_options(struct sl_options *o, const struct sl_config *c,
			   uint32_t used)
{
	static const uint32_t lows[] = { 0, 20, 25, 26, 40, 41, 61 };
	static const uint32_t highs[] = { 19, 24, 25, 39, 40, 60, 65535 };
	static const uint16_t ethertypes[] = { 0x0800, 0x86dd, 0x0806 };
	static const struct {
		enum dim d;
		uint32_t option;
	} options[] = {
		{ FLAGS, SL_OPT_FLAGS },    { ICMP, SL_OPT_ICMP_TYPE },
		{ ICMP, SL_OPT_ICMP_CODE }, { FRAGMENT, SL_OPT_FRAGMENT },
		{ DSCP, SL_OPT_DSCP },	    { ETHERTYPE, SL_OPT_ETHERTYPE },
		{ VLAN, SL_OPT_VLAN },	    { INNER, SL_OPT_INNER_VLAN },
		{ LENGTH, SL_OPT_LENGTH },  { MAC, SL_OPT_MAC_SRC },
	};
	uint32_t low;

	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
		if (used & 1u << options[i].d && one_in(3))
			o->written |= options[i].option;
	if (o->written & SL_OPT_ICMP_CODE)
		o->written |= SL_OPT_ICMP_TYPE;
	o->flags_mask = (uint8_t)random_below(4);
	o->flags_value = (uint8_t)random_below(4) & o->flags_mask;
	o->icmp_type = one_in(2) ? 3 : 0;
	o->icmp_code = (uint8_t)random_below(2);
	o->fragment = (enum sl_fragment)(SL_FRAG_FIRST + random_below(4));
	o->dscp = (uint8_t)random_below(2);
	o->vlan = (uint16_t)(5 + random_below(2));
	o->inner_vlan = (uint16_t)(5 + random_below(2));
	o->ethertype = ethertypes[random_below(3)];
	low = random_below(7);
	o->length_low = lows[low];
	o->length_high = highs[low + random_below(7 - low)];
	o->mac_src =
		(struct sl_mac_match){ one_in(3), c->sets[random_below(SETS)] };
}

static struct sl_rule random_rule(const struct sl_config *c, uint32_t used)
{
	static const enum sl_proto protos[] = { SL_PROTO_IP,	SL_PROTO_IP6,
						SL_PROTO_TCP,	SL_PROTO_UDP,
						SL_PROTO_ICMP,	SL_PROTO_ICMP6,
						SL_PROTO_NUMBER };
	struct sl_rule r = { .name = strdup("r") };

	assert_non_null(r.name);
	r.proto = one_in(2) ? SL_PROTO_ANY : protos[random_below(7)];
	r.proto_number = one_in(2) ? 6 : 47;
	r.src = random_addr(c, used, SRC);
	r.dst = random_addr(c, used, DST);
	r.sport = random_ports(used & 1u << SPORT);
	r.dport = random_ports(used & 1u << DPORT);
	random_options(&r.options, c, used);
	return r;
}

static void random_verdict(struct sl_rule *r)
{
	static const enum sl_action actions[] = {
		SL_ACTION_PASS, SL_ACTION_DROP, SL_ACTION_DROP, SL_ACTION_COUNT
	};

	r->verdict.action = actions[random_below(4)];
	r->on = one_in(8) ? strdup(one_in(2) ? "a" : "b") : NULL;
	if (one_in(8))
		r->options.written |= SL_OPT_OBSERVE;
	if (one_in(8))
		r->options.expires_ns = 1000000000;
}

/* Some of the dimensions; the kind always is. */
static uint32_t random_dims(void)
{
	uint32_t used = 1u << KIND;

	for (int i = 0; i < PARTS; i++)
		used |= 1u << (SRC + random_below(DIMS - SRC));
	return used;
}

static struct sl_config random_config(uint32_t used)
{
	struct sl_config c = { 0 };
	uint64_t start = 0, after;

	random_sets(&c);
	c.n_rules = 2 + random_below(RULES_MAX - 1);
	c.rules = calloc(c.n_rules, sizeof(*c.rules));
	assert_non_null(c.rules);
	for (size_t i = 0; i < c.n_rules; i++) {
		bool again = i && one_in(4); /* the same match once more */

		after = random_state;
		if (!again)
			start = after;
		random_state = start;
		c.rules[i] = random_rule(&c, used);
		if (again)
			random_state = after;
		random_verdict(&c.rules[i]);
	}
	return c;
}

static void free_config(struct sl_config *c)
{
	for (size_t i = 0; i < c->n_rules; i++) {
		free(c->rules[i].name);
		free(c->rules[i].on);
		free(c->rules[i].src.prefixes);
		free(c->rules[i].dst.prefixes);
		free(c->rules[i].sport.ranges);
		free(c->rules[i].dport.ranges);
	}
	free(c->rules);
	for (size_t i = 0; i < c->n_sets; i++) {
		free(c->sets[i]->prefixes);
		free(c->sets[i]->macs);
		free(c->sets[i]);
	}
	free(c->sets);
}

#endif /* SLUICE_TEST_SHADOW_LISTS_H */
