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

#include "compile_lists.h"
#include "lib/compile.h"
#include "lib/config.h"
#include "lib/error.h"
#include "tests/fuzz/linear.h"
#include "xdp/classify.h"

#define LISTS 150
#define PACKETS 1500

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

/* Whether what is forwarded carries metadata: only where somebody reads it. */
static bool tells(const char *attach, const char *rest)
{
	struct sl_compiled *compiled = NULL;
	struct sl_config *config = NULL;
	struct sl_diags diags = { 0 };
	struct sl_error error;
	char text[512];
	bool is;

	snprintf(text, sizeof(text),
		 "interface a { attach %s }\ninterface b\ndefault pass\n%s\n",
		 attach, rest);
	assert_int_equal(sl_config_parse(text, strlen(text), "test", &diags,
					 &config),
			 0);
	assert_int_equal(sl_compile(config, "a", &compiled, &error), 0);
	is = compiled->gen.flags & SL_GEN_META;
	sl_compiled_free(compiled);
	sl_config_free(config);
	sl_diags_fini(&diags);
	return is;
}

static void test_metadata(void **state)
{
	(void)state;
	assert_false(tells("exclusive", "rule r drop udp"));
	assert_true(tells("exclusive", "rule r forward udp"));
	assert_false(tells("shared", "rule r forward udp"));
	assert_false(tells("exclusive", "rule r forward udp\n"
					"forwarder { wire a b }"));
	assert_false(tells("exclusive",
			   "rule r forward udp\n"
			   "forwarder { wire a b; police 1Mbps }"));
	assert_true(tells("exclusive",
			  "rule r forward udp\n"
			  "forwarder { wire a b; police 1Mbps rule \"r\" }"));
	assert_true(tells("exclusive",
			  "rule r forward udp\n"
			  "forwarder { wire a b; capture \"x\" }"));
	assert_true(tells("exclusive",
			  "rule r forward udp\n"
			  "forwarder { wire a b; stage \"x.so\" }"));
	assert_true(
		tells("exclusive", "rule r route udp\nforwarder { route }"));
	assert_true(tells("exclusive", "rule r route udp\n"
				       "forwarder { wire a b }"));
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
	struct sl_gen gen = { .cache_bits = 8, .cache_key_shift = 48 };
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
		cmocka_unit_test(test_metadata),
		cmocka_unit_test(test_large_set),
		cmocka_unit_test(test_array4_end),
		cmocka_unit_test(test_finish),
		cmocka_unit_test(test_cache),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
