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
#include "tests/fuzz/linear.h"
#include "xdp/classify.h"

#define LISTS 150
#define PACKETS 1500
#define PREFIXES_MAX 64
#define RULES_MAX 400

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

static bool one_in(uint32_t n)
{
	return random_below(n) == 0;
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
			s->prefixes[p] = random_prefix();
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

static const struct sl_rule *first_match(const struct sl_config *c,
					 const struct sl_packet *p)
{
	for (size_t i = 0; i < c->n_rules; i++) {
		const struct sl_rule *r = &c->rules[i];

		if (r->on && strcmp(r->on, "a") != 0)
			continue;
		if (linear_matches(r, p))
			return r;
	}
	return NULL;
}

static struct sl_tables tables_of(const struct sl_compiled *compiled)
{
	return (struct sl_tables){
		.gen = &compiled->gen,
		.base = compiled->tables,
	};
}

/* The first rule from `from` on, as the program finds it without its cache. */
static uint32_t classify_from(const struct sl_tables *t,
			      const struct sl_packet *p, uint32_t from,
			      uint32_t resume)
{
	uint32_t answer = 0;
	struct sl_key key;

	assert_true(sl_locate(t, p, false, 0, &key));
	assert_true(key.word[0] < t->gen->keys);
	if (!t->gen->dense)
		return sl_first_match(t, &key, from);
	assert_true(sl_table_u32(
		t, t->gen->dense + (key.word[0] + resume * t->gen->keys) * 4,
		&answer));
	return answer ? answer - 1 : SL_SLOT_NONE; /* not finished: positions */
}

static uint32_t classify(const struct sl_tables *t, const struct sl_packet *p)
{
	return t->gen->words ? classify_from(t, p, 0, 0) : SL_SLOT_NONE;
}

static void check_list(const struct sl_config *config)
{
	struct sl_compiled *compiled = NULL;
	struct sl_error error;
	struct sl_tables tables;

	if (sl_compile(config, "a", &compiled, &error) != 0)
		fail_msg("%s", error.text);
	tables = tables_of(compiled);
	for (int i = 0; i < PACKETS; i++) {
		struct sl_packet p = random_packet(config);
		uint32_t position = classify(&tables, &p);
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
		assert_int_equal(classify(&tables, &p), 0);
		p.src[i % 2 ? 0 : 1] ^= i % 2 ? 1ULL << 32 : 1;
		if (!linear_matches(&rule, &p))
			assert_int_equal(classify(&tables, &p), SL_SLOT_NONE);
	}
	sl_compiled_free(compiled);
}

static void add_prefix(struct sl_set *set, uint32_t address, uint8_t length)
{
	struct sl_prefix *p = &set->prefixes[set->n_prefixes++];

	*p = (struct sl_prefix){ .family = 4, .length = length };
	for (int i = 0; i < 4; i++)
		p->addr[i] = (uint8_t)(address >> (24 - 8 * i));
}

/*
 * The last node of 256 entries begins within what small entries reach and ends
 * beyond: 120 x 272 units, one of 116, and then it.
 */
static void test_array4_end(void **state)
{
	static struct sl_prefix prefixes[32000];
	struct sl_set set = { .prefixes = prefixes };
	struct sl_rule rule = { .src = { .kind = SL_ADDR_SET, .set = &set },
				.sport = { .any = true },
				.dport = { .any = true } };
	struct sl_config config = { .rules = &rule, .n_rules = 1 };
	struct sl_packet p = { .family = SL_FAMILY_IP4 };
	struct sl_compiled *compiled = NULL;
	struct sl_error error;
	struct sl_tables t;

	(void)state;
	for (uint32_t net = 0; net < 120 * 256 + 100; net++)
		add_prefix(&set, 0x0a000010 + (net << 8), 28);
	add_prefix(&set, 0x0ac8c800, 24);
	add_prefix(&set, 0x0ac80a00, 24);
	assert_int_equal(sl_compile(&config, "a", &compiled, &error), 0);
	t = tables_of(compiled);
	for (uint32_t low = 0; low < 65536; low++) {
		p.src[0] = (__u64)(0x0ac80000 + low) << 32;
		assert_int_equal(classify(&t, &p) == 0,
				 low >> 8 == 0xc8 || low >> 8 == 0x0a);
	}
	sl_compiled_free(compiled);
}

/* The whole table of answers becomes slots and steps, once. */
static void test_finish(void **state)
{
	struct sl_rule rules[3] = {
		{ .verdict.action = SL_ACTION_DROP, .proto = SL_PROTO_TCP },
		{ .verdict.action = SL_ACTION_COUNT, .proto = SL_PROTO_UDP },
		{ .verdict.action = SL_ACTION_PASS, .proto = SL_PROTO_UDP },
	};
	struct sl_config config = { .rules = rules, .n_rules = 3 };
	struct sl_compiled *c = NULL;
	struct sl_packet tcp = { .family = SL_FAMILY_IP4, .proto = 6 };
	struct sl_packet udp = { .family = SL_FAMILY_IP4, .proto = 17 };
	struct sl_tables t;
	struct sl_error error;

	(void)state;
	for (int i = 0; i < 3; i++)
		rules[i].sport.any = rules[i].dport.any = true;
	assert_int_equal(sl_compile(&config, "a", &c, &error), 0);
	for (int i = 0; i < 3; i++)
		c->rules[i].step.slot = 7 + (uint32_t)i;
	assert_int_equal(sl_compiled_finish(c), 0);
	assert_int_equal(sl_compiled_finish(c), 0);
	t = tables_of(c);
	/* classify_from() takes one off, as of a position. */
	assert_int_equal(classify(&t, &tcp) + 1, SL_MATCH(SL_MATCH_DROP, 7));
	assert_int_equal(classify(&t, &udp) + 1, SL_MATCH(SL_MATCH_STEP, 0));
	assert_int_equal(classify_from(&t, &udp, 2, 1) + 1,
			 SL_MATCH(SL_MATCH_PASS, 9));
	sl_compiled_free(c);
}

/* Keys and places are one to one, and a set gives back what was put last. */
static void test_cache(void **state)
{
	static uint8_t seen[1 << 16];
	struct sl_gen gen = { .cache_bits = 8, .cache_key_bits = 16 };
	__u64 set[SL_CACHE_WAYS] = { 0 };

	(void)state;
	for (uint32_t key = 0; key < 1 << 16; key++) {
		struct sl_cache_place at = sl_cache_place(&gen, key);
		__u64 tag = at.tag >> (SL_MATCH_BITS + 1);

		assert_true(at.set < 256 && tag < 256);
		assert_int_equal(seen[at.set << 8 | tag]++, 0);
	}
	for (uint32_t key = 0; key < 100; key++) {
		__u64 tag = sl_cache_place(&gen, key).tag;

		assert_int_equal(sl_cache_find(set, tag), SL_CACHE_MISS);
		sl_cache_put(set, tag, key);
		assert_int_equal(sl_cache_find(set, tag), key);
	}
	for (uint32_t key = 100 - SL_CACHE_WAYS; key < 100; key++)
		assert_int_equal(
			sl_cache_find(set, sl_cache_place(&gen, key).tag), key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_lists),
		cmocka_unit_test(test_no_rules),
		cmocka_unit_test(test_large_set),
		cmocka_unit_test(test_array4_end),
		cmocka_unit_test(test_finish),
		cmocka_unit_test(test_cache),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
