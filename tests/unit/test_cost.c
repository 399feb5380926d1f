// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cost model reads the tables as the lookup does: the same class vectors,
 * the same first match, no more words than it says there can be. (It includes
 * xdp/classify.h, hence the licence.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/compile.h"
#include "lib/config.h"
#include "lib/cost.h"
#include "lib/error.h"
#include "lib/fullest.h"
#include "lib/reach.h"
#include "lib/visit.h"
#include "xdp/classify.h"

#define RULES 600
#define PACKETS 4000

static uint64_t random_state = 1;

static uint32_t random_below(uint32_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 32) % n;
}

/* Few values in each byte, so that prefixes nest and packets meet them. */
static struct sl_prefix random_prefix(unsigned family)
{
	static const uint8_t bytes[] = { 0, 1, 2, 0x7f, 0x80, 0xff };
	unsigned size = family == 4 ? 4 : 16;
	struct sl_prefix p = { .family = (uint8_t)family };

	p.length = (uint8_t)(1 + random_below(size * 8));
	for (unsigned i = 0; i < size; i++)
		p.addr[i] = bytes[random_below(sizeof(bytes))];
	for (unsigned bit = p.length; bit < size * 8; bit++)
		p.addr[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	return p;
}

struct list {
	struct sl_prefix prefixes[2 * RULES];
	struct sl_port_range ranges[RULES];
	struct sl_rule rules[RULES];
	struct sl_config config;
	struct sl_compiled *compiled;
};

static struct sl_addr one_prefix(struct sl_prefix *prefix)
{
	return (struct sl_addr){ .kind = SL_ADDR_PREFIXES,
				 .prefixes = prefix,
				 .n_prefixes = 1 };
}

static void make_list(struct list *l, size_t n)
{
	struct sl_error error;

	memset(l, 0, sizeof(*l));
	for (size_t i = 0; i < n; i++) {
		struct sl_rule *r = &l->rules[i];
		unsigned family = random_below(2) ? 4 : 6;
		uint16_t low = (uint16_t)random_below(2000);

		l->prefixes[2 * i] = random_prefix(family);
		l->prefixes[2 * i + 1] = random_prefix(family);
		l->ranges[i] = (struct sl_port_range){
			low, (uint16_t)(low + random_below(3000))
		};
		r->verdict.action = random_below(8) ? SL_ACTION_DROP :
						      SL_ACTION_COUNT;
		r->proto = SL_PROTO_UDP;
		r->src = one_prefix(&l->prefixes[2 * i]);
		r->dst = one_prefix(&l->prefixes[2 * i + 1]);
		r->sport.any = true;
		r->dport = (struct sl_ports){ .ranges = &l->ranges[i],
					      .n_ranges = 1 };
	}
	l->config = (struct sl_config){ .rules = l->rules, .n_rules = n };
	assert_int_equal(sl_compile(&l->config, "a", &l->compiled, &error), 0);
}

static sl_address address_of(const struct sl_prefix *p)
{
	sl_address address = 0;

	for (int i = 0; i < 16; i++)
		address = address << 8 | p->addr[i];
	return address;
}

/* One packet, as the model and as the lookup want it. */
static void random_packet(const struct list *l, sl_address v[SL_DIM_COUNT],
			  struct sl_packet *p)
{
	const struct sl_prefix *src =
		&l->prefixes[2 * random_below((uint32_t)l->config.n_rules)];
	const struct sl_prefix *dst =
		&l->prefixes[2 * random_below((uint32_t)l->config.n_rules)];
	sl_address from = address_of(src), to = address_of(dst);
	bool ip4 = src->family == 4;

	memset(v, 0, SL_DIM_COUNT * sizeof(*v));
	*p = (struct sl_packet){
		.family = ip4 ? SL_FAMILY_IP4 : SL_FAMILY_IP6,
		.proto = 17,
		.src = { (uint64_t)(from >> 64), (uint64_t)from },
		.dst = { (uint64_t)(to >> 64), (uint64_t)to },
		.has_ports = 1,
		.dport = (uint16_t)random_below(5000),
	};
	if (ip4) {
		p->src[0] &= ~(uint64_t)UINT32_MAX;
		p->dst[0] &= ~(uint64_t)UINT32_MAX;
		p->src[1] = p->dst[1] = 0;
	}
	v[SL_DIM_KIND] = p->family * SL_KIND_FAMILY + 17;
	v[ip4 ? SL_DIM_SRC4 : SL_DIM_SRC6] = (sl_address)p->src[0] << 64 |
					     p->src[1];
	v[ip4 ? SL_DIM_DST4 : SL_DIM_DST6] = (sl_address)p->dst[0] << 64 |
					     p->dst[1];
	v[SL_DIM_DPORT] = p->dport;
}

static void test_visit_is_the_lookup(void **state)
{
	static struct list l;
	struct sl_visit worst;
	uint32_t bound, matched = 0, most = 0;

	(void)state;
	make_list(&l, RULES);
	assert_int_equal(l.compiled->gen.dense, 0);
	assert_int_equal(sl_fullest_words(l.compiled, &bound), 0);
	sl_visit_worst(l.compiled, &worst);
	for (int i = 0; i < PACKETS; i++) {
		struct sl_tables t = { &l.compiled->gen, l.compiled->tables };
		uint32_t words, from = random_below(RULES), position;
		struct sl_visit visit = { 0 };
		sl_address values[SL_DIM_COUNT];
		struct sl_packet packet;
		struct sl_key key;

		random_packet(&l, values, &packet);
		sl_visit_packet(l.compiled, values, &visit);
		assert_true(sl_locate(&t, &packet, false, 0, &key));
		from = i % 2 ? from : 0;
		position = sl_first_match(&t, &key, from);
		assert_int_equal(sl_visit_match(l.compiled, &visit, from,
						&words),
				 position + 1);
		assert_in_range(words, 1,
				bound + l.compiled->gen.summary_words);
		assert_true(visit.nodes <= worst.nodes &&
			    visit.arrays <= worst.arrays &&
			    visit.combines <= worst.combines);
		matched += position != SL_SLOT_NONE;
		most = words > most ? words : most;
	}
	assert_true(matched > PACKETS / 20 && most > 2);
	sl_compiled_free(l.compiled);
}

static void test_dense_visit(void **state)
{
	static struct list l;

	(void)state;
	make_list(&l, 12);
	assert_true(l.compiled->gen.dense);
	for (int i = 0; i < PACKETS; i++) {
		struct sl_tables t = { &l.compiled->gen, l.compiled->tables };
		struct sl_visit visit = { 0 };
		sl_address values[SL_DIM_COUNT];
		struct sl_packet packet;
		struct sl_key key;

		random_packet(&l, values, &packet);
		sl_visit_packet(l.compiled, values, &visit);
		assert_true(sl_locate(&t, &packet, false, 0, &key));
		assert_int_equal(visit.key, key.word[0]);
	}
	sl_compiled_free(l.compiled);
}

/* More rules cost more, a worst case no less, and a step something. */
static void test_order(void **state)
{
	static struct list l;
	struct sl_cost none, few, many;

	(void)state;
	make_list(&l, 0);
	assert_int_equal(sl_cost_of(l.compiled, &none), 0);
	sl_compiled_free(l.compiled);
	make_list(&l, 12);
	assert_int_equal(sl_cost_of(l.compiled, &few), 0);
	sl_compiled_free(l.compiled);
	make_list(&l, RULES);
	assert_int_equal(sl_cost_of(l.compiled, &many), 0);
	assert_int_equal(many.cache_bytes,
			 SL_CACHE_WAYS * sizeof(uint64_t)
				 << l.compiled->gen.cache_bits);
	sl_compiled_free(l.compiled);
	assert_true(none.expected_ns > 0 && none.worst_ns == none.expected_ns);
	assert_true(few.expected_ns > none.expected_ns);
	assert_true(many.expected_ns > few.expected_ns);
	assert_true(few.worst_ns >= few.expected_ns);
	assert_true(many.worst_ns > many.expected_ns);
	assert_true(few.cache_bytes == 0 && few.hit_share == 1);
	assert_true(many.hit_share > 0 && many.hit_share <= 1);
}

/* One packet takes both counts, another one; the list has three. */
static void test_steps(void **state)
{
	struct sl_rule rules[3] = {
		{ .verdict.action = SL_ACTION_COUNT, .proto = SL_PROTO_UDP },
		{ .verdict.action = SL_ACTION_COUNT, .proto = SL_PROTO_TCP },
		{ .verdict.action = SL_ACTION_COUNT },
	};
	struct sl_config config = { .rules = rules, .n_rules = 3 };
	struct sl_compiled *c = NULL;
	struct sl_error error;
	uint64_t reached = 0;

	(void)state;
	for (int i = 0; i < 3; i++)
		rules[i].sport.any = rules[i].dport.any = true;
	assert_int_equal(sl_compile(&config, "a", &c, &error), 0);
	assert_int_equal(sl_reach_dense(c, &reached), 2);
	assert_int_equal(reached, 7);
	sl_compiled_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_visit_is_the_lookup),
		cmocka_unit_test(test_dense_visit),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_steps),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
