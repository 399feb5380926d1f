// SPDX-License-Identifier: GPL-2.0-only
/*
 * The compiler and the lookup (host build of xdp/classify.h) against a linear
 * first-match search, on random rule lists and packets. A fixed seed makes the
 * run repeatable; SLUICE_SEED in the environment chooses another.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/compile.h"
#include "lib/config.h"
#include "lib/error.h"
#include "xdp/classify.h"

#define LISTS 150
#define PACKETS 1500
#define PREFIXES_MAX 64

static uint64_t random_state;

static uint32_t random_below(uint32_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 32) % n;
}

/* Few distinct bits, so that prefixes nest, touch and repeat. */
static struct sl_prefix random_prefix(void)
{
	static const uint8_t bytes[] = { 0, 1, 0x7f, 0x80, 0xff };
	struct sl_prefix p = { .family = random_below(2) ? 4 : 6 };
	unsigned size = p.family == 4 ? 4 : 16;

	p.length = (uint8_t)random_below(size * 8 + 1);
	if (random_below(4) == 0)
		p.length = (uint8_t)(size * 8);
	for (unsigned i = 0; i < size; i++)
		p.addr[i] = bytes[random_below(sizeof(bytes))];
	for (unsigned bit = p.length; bit < size * 8; bit++)
		p.addr[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	return p;
}

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
			a.prefixes[i] = random_prefix();
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
	if (random_below(6) == 0) {
		r.options.written |= SL_OPT_VLAN;
		r.options.vlan = (uint16_t)random_below(4);
	}
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
			s->prefixes[p] = random_prefix();
	}
	c.n_rules = 1 + random_below(random_below(2) ? 256 : 8);
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
	struct sl_prefix p = random_prefix();
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

static struct sl_packet random_packet(const struct sl_config *c)
{
	static const uint8_t protos[] = { 6, 17, 132, 1, 58, 47, 0 };
	struct sl_packet p = { .proto = SL_PROTO_NONE,
			       .fragment = SL_FRAGMENT_NONE,
			       .vlan = SL_VLAN_NONE };

	p.family = random_below(8) ? 1 + random_below(2) : SL_FAMILY_NONE;
	if (random_below(3) == 0)
		p.vlan = (uint16_t)random_below(5);
	if (p.family == SL_FAMILY_NONE)
		return p;
	random_address(c, p.family, p.src);
	random_address(c, p.family, p.dst);
	if (random_below(10) == 0)
		return p; /* the protocol could not be read */
	p.proto = protos[random_below(sizeof(protos))];
	p.fragment = random_below(4) ? SL_FRAGMENT_NO : random_below(3);
	if (p.fragment == SL_FRAGMENT_LATER || random_below(16) == 0)
		return p;
	p.has_ports = p.proto == 6 || p.proto == 17 || p.proto == 132;
	p.sport = random_port();
	p.dport = random_port();
	return p;
}

static bool prefix_holds(const struct sl_prefix *prefix, unsigned family,
			 const __u64 address[2])
{
	if (prefix->family != (family == SL_FAMILY_IP4 ? 4 : 6))
		return false;
	for (unsigned bit = 0; bit < prefix->length; bit++)
		if ((prefix->addr[bit / 8] >> (7 - bit % 8) & 1) !=
		    (address[bit / 64] >> (63 - bit % 64) & 1))
			return false;
	return true;
}

static bool addr_holds(const struct sl_addr *a, unsigned family,
		       const __u64 address[2])
{
	const struct sl_prefix *prefixes =
		a->kind == SL_ADDR_SET ? a->set->prefixes : a->prefixes;
	size_t n = a->kind == SL_ADDR_SET ? a->set->n_prefixes : a->n_prefixes;
	bool in = false;

	if (a->kind == SL_ADDR_ANY)
		return true;
	if (family == SL_FAMILY_NONE)
		return false;
	for (size_t i = 0; i < n && !in; i++)
		in = prefix_holds(&prefixes[i], family, address);
	return in != a->negated;
}

static bool ports_hold(const struct sl_ports *ports, const struct sl_packet *p,
		       uint16_t port)
{
	if (ports->any)
		return true;
	for (size_t i = 0; p->has_ports && i < ports->n_ranges; i++)
		if (port >= ports->ranges[i].low &&
		    port <= ports->ranges[i].high)
			return true;
	return false;
}

static bool proto_holds(const struct sl_rule *r, const struct sl_packet *p)
{
	switch (r->proto) {
	case SL_PROTO_ANY:
		return true;
	case SL_PROTO_IP:
		return p->family == SL_FAMILY_IP4;
	case SL_PROTO_IP6:
		return p->family == SL_FAMILY_IP6;
	case SL_PROTO_TCP:
		return p->proto == 6;
	case SL_PROTO_UDP:
		return p->proto == 17;
	case SL_PROTO_SCTP:
		return p->proto == 132;
	case SL_PROTO_ICMP:
		return p->family == SL_FAMILY_IP4 && p->proto == 1;
	case SL_PROTO_ICMP6:
		return p->family == SL_FAMILY_IP6 && p->proto == 58;
	default:
		return p->proto == r->proto_number;
	}
}

static bool options_hold(const struct sl_rule *r, const struct sl_packet *p)
{
	if (r->options.written & SL_OPT_VLAN && p->vlan != r->options.vlan)
		return false;
	if (!(r->options.written & SL_OPT_FRAGMENT))
		return true;
	switch (r->options.fragment) {
	case SL_FRAG_FIRST:
		return p->fragment == SL_FRAGMENT_FIRST;
	case SL_FRAG_LATER:
		return p->fragment == SL_FRAGMENT_LATER;
	case SL_FRAG_YES:
		return p->fragment == SL_FRAGMENT_FIRST ||
		       p->fragment == SL_FRAGMENT_LATER;
	default:
		return p->fragment == SL_FRAGMENT_NO;
	}
}

static const struct sl_rule *first_match(const struct sl_config *c,
					 const struct sl_packet *p)
{
	for (size_t i = 0; i < c->n_rules; i++) {
		const struct sl_rule *r = &c->rules[i];

		if (r->on && strcmp(r->on, "a") != 0)
			continue;
		if (proto_holds(r, p) && options_hold(r, p) &&
		    addr_holds(&r->src, p->family, p->src) &&
		    addr_holds(&r->dst, p->family, p->dst) &&
		    ports_hold(&r->sport, p, p->sport) &&
		    ports_hold(&r->dport, p, p->dport))
			return r;
	}
	return NULL;
}

static struct sl_tables tables_of(const struct sl_compiled *compiled)
{
	return (struct sl_tables){
		.gen = &compiled->gen,
		.base = compiled->tables,
		.last = compiled->gen.table_bytes - SL_TABLE_SLACK,
	};
}

static void check_list(const struct sl_config *config)
{
	struct sl_compiled *compiled = NULL;
	struct sl_error error;
	struct sl_tables tables;

	assert_int_equal(sl_compile(config, "a", &compiled, &error), 0);
	tables = tables_of(compiled);
	for (int i = 0; i < PACKETS; i++) {
		struct sl_packet p = random_packet(config);
		uint32_t position = compiled->gen.words ?
					    sl_classify(&tables, &p) :
					    SL_SLOT_NONE;
		const struct sl_rule *expected = first_match(config, &p);

		if (expected)
			assert_true(position < compiled->n_rules);
		else
			assert_int_equal(position, SL_SLOT_NONE);
		if (expected)
			assert_ptr_equal(compiled->rules[position].rule,
					 expected);
	}
	sl_compiled_free(compiled);
}

static void test_random_lists(void **state)
{
	const char *seed = getenv("SLUICE_SEED");

	(void)state;
	random_state = seed ? strtoull(seed, NULL, 0) : 20240607;
	random_state |= 1;
	for (int i = 0; i < LISTS; i++) {
		struct sl_config config = random_config();

		check_list(&config);
		free_config(&config);
	}
}

static void test_no_rules(void **state)
{
	struct sl_config config = { .default_drop = true };
	struct sl_compiled *compiled = NULL;
	struct sl_error error;

	(void)state;
	assert_int_equal(sl_compile(&config, "a", &compiled, &error), 0);
	assert_int_equal(compiled->gen.words, 0);
	assert_int_equal(compiled->gen.table_bytes, 0);
	assert_int_equal(compiled->gen.default_verdict, SL_VERDICT_DROP);
	sl_compiled_free(compiled);
}

/* Ten thousand scattered hosts of each family stay small: path compression. */
static void test_large_set(void **state)
{
	static struct sl_prefix prefixes[20000];
	struct sl_set set = { .prefixes = prefixes, .n_prefixes = 20000 };
	struct sl_rule rule = { .src = { .kind = SL_ADDR_SET, .set = &set },
				.sport = { .any = true },
				.dport = { .any = true } };
	struct sl_config config = { .rules = &rule, .n_rules = 1 };
	struct sl_compiled *compiled = NULL;
	struct sl_error error;
	struct sl_tables tables;

	(void)state;
	random_state = 7;
	for (size_t i = 0; i < set.n_prefixes; i++) {
		prefixes[i].family = i % 2 ? 4 : 6;
		prefixes[i].length = i % 2 ? 32 : 128;
		for (int b = 0; b < (i % 2 ? 4 : 16); b++)
			prefixes[i].addr[b] = (uint8_t)random_below(256);
	}
	assert_int_equal(sl_compile(&config, "a", &compiled, &error), 0);
	assert_true(compiled->gen.table_bytes < 8u << 20);
	tables = tables_of(compiled);
	for (size_t i = 0; i < set.n_prefixes; i++) {
		struct sl_packet p = { .family = i % 2 ? SL_FAMILY_IP4 :
							 SL_FAMILY_IP6 };

		for (int b = 0; b < 16; b++)
			p.src[b / 8] = p.src[b / 8] << 8 | prefixes[i].addr[b];
		assert_int_equal(sl_classify(&tables, &p), 0);
		p.src[i % 2 ? 0 : 1] ^= i % 2 ? 1ULL << 32 : 1;
		if (!addr_holds(&rule.src, p.family, p.src))
			assert_int_equal(sl_classify(&tables, &p),
					 SL_SLOT_NONE);
	}
	sl_compiled_free(compiled);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_lists),
		cmocka_unit_test(test_no_rules),
		cmocka_unit_test(test_large_set),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
