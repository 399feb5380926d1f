// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Live sets: the writer (lib/live.c) and the lookup (host build of xdp/live.h)
 * against a list of prefixes that is searched from end to end; and a reader that runs
 * while another thread adds and deletes. A fixed seed makes the run repeatable;
 * SLUICE_SEED in the environment chooses another.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/config.h"
#include "lib/error.h"
#include "lib/live.h"
#include "xdp/live.h"

#include "random_prefix.h"

#define SETS 5
#define MODEL_MAX 250
#define SET_MAX 60 /* of each: 4.7 entries a bucket at most */
#define ROUNDS 40000
#define CHANGES 1000000 /* while the reader runs */

struct lab {
	struct sl_set sets[SL_LIVE_SETS_MAX + 1];
	struct sl_set *list[SL_LIVE_SETS_MAX + 1];
	struct sl_config config;
	struct sl_live_shape shape;
	struct sl_live live;
	struct sl_error error;
};

static void name_sets(struct lab *lab, size_t n, uint64_t max)
{
	static char *const names[] = { "zero", "one", "two", "three", "four" };

	memset(lab, 0, sizeof(*lab));
	for (size_t i = 0; i < n; i++) {
		lab->sets[i] = (struct sl_set){ .name = names[i % SETS],
						.live = true,
						.max = max };
		lab->list[i] = &lab->sets[i];
	}
	lab->config.sets = lab->list;
	lab->config.n_sets = n;
}

static void build(struct lab *lab)
{
	size_t bytes;

	assert_int_equal(sl_live_plan(&lab->config, &lab->shape, &lab->error),
			 0);
	bytes = (lab->shape.bytes + 4095UL) & ~4095UL;
	lab->live.base = aligned_alloc(4096, bytes);
	assert_non_null(lab->live.base);
	memset(lab->live.base, 0, bytes);
	lab->live.bytes = lab->shape.bytes;
	assert_int_equal(sl_live_fill(&lab->config, &lab->shape, lab->live.base,
				      &lab->error),
			 0);
}

/* The address is the packet's destination. */
static uint32_t look_up(const struct lab *lab, const struct sl_prefix *address)
{
	struct sl_live_view view = { &lab->shape, lab->live.base };
	struct sl_packet p = { .family = address->family == 6 ? SL_FAMILY_IP6 :
								SL_FAMILY_IP4 };

	p.dst[0] = sl_load64(address->addr);
	if (address->family == 6)
		p.dst[1] = sl_load64(address->addr + 8);
	return sl_live_lookup(&view, &p, 1);
}

static bool holds(const struct sl_prefix *outer, const struct sl_prefix *inner)
{
	if (outer->family != inner->family || outer->length > inner->length)
		return false;
	for (unsigned bit = 0; bit < outer->length; bit++)
		if ((outer->addr[bit / 8] ^ inner->addr[bit / 8]) &
		    0x80 >> bit % 8)
			return false;
	return true;
}

struct model {
	struct {
		struct sl_prefix prefix;
		unsigned set;
	} items[SETS * SET_MAX];
	size_t n;
};

static size_t model_find(const struct model *m, unsigned set,
			 const struct sl_prefix *p)
{
	size_t i = 0;

	while (i < m->n && (m->items[i].set != set ||
			    m->items[i].prefix.length != p->length ||
			    !holds(&m->items[i].prefix, p)))
		i++;
	return i;
}

static unsigned model_count(const struct model *m, unsigned set)
{
	unsigned n = 0;

	for (size_t i = 0; i < m->n; i++)
		n += m->items[i].set == set;
	return n;
}

static uint32_t model_mask(const struct model *m, const struct sl_prefix *p)
{
	uint32_t mask = 0;

	for (size_t i = 0; i < m->n; i++)
		if (holds(&m->items[i].prefix, p))
			mask |= 1u << m->items[i].set;
	return mask;
}

static void change_one(struct lab *lab, struct model *m, bool add)
{
	unsigned set = random_below(SETS);
	struct sl_prefix p = random_prefix(false);
	size_t at;
	int done;

	if (!add && m->n && random_below(4)) {
		at = random_below((uint32_t)m->n);
		set = m->items[at].set;
		p = m->items[at].prefix;
	}
	at = model_find(m, set, &p);
	if (!add) {
		assert_int_equal(sl_live_del(&lab->live, set, &p), at < m->n);
		if (at < m->n)
			m->items[at] = m->items[--m->n];
		return;
	}
	done = sl_live_add(&lab->live, set, &p, &lab->error);
	if (at == m->n && model_count(m, set) == SET_MAX)
		assert_int_equal(done, -ENOSPC);
	else
		assert_int_equal(done, at == m->n);
	if (done > 0) {
		m->items[at].set = set;
		m->items[m->n++].prefix = p;
	}
}

static void check_one(const struct lab *lab, const struct model *m)
{
	struct sl_prefix address = random_prefix(true);
	struct sl_prefix p = random_prefix(false), holder = { 0 };
	uint32_t want = model_mask(m, &p);

	if (m->n && random_below(2)) { /* inside one, or beside it */
		address = m->items[random_below((uint32_t)m->n)].prefix;
		address.length = address.family == 4 ? 32 : 128;
		address.addr[random_below(address.length / 8)] ^=
			(uint8_t)random_below(2);
	}
	assert_int_equal(look_up(lab, &address), model_mask(m, &address));
	for (unsigned set = 0; set < SETS; set++) {
		bool is = sl_live_test(&lab->live, set, &p, &holder);

		assert_int_equal(is, want >> set & 1);
		if (is)
			assert_true(holds(&holder, &p) &&
				    model_find(m, set, &holder) < m->n);
	}
}

static void check_lists(const struct lab *lab, const struct model *m)
{
	size_t total = 0;

	for (unsigned set = 0; set < SETS; set++) {
		struct sl_prefix *list = NULL;
		size_t n = 0;

		assert_int_equal(sl_live_list(&lab->live, set, &list, &n), 0);
		assert_int_equal(n, lab->live.header->sets[set].count);
		for (size_t i = 0; i < n; i++)
			assert_true(model_find(m, set, &list[i]) < m->n);
		for (size_t i = 1; i < n; i++)
			assert_true(list[i - 1].family < list[i].family ||
				    memcmp(&list[i - 1].addr, &list[i].addr,
					   16) <= 0);
		total += n;
		free(list);
	}
	assert_int_equal(total, m->n);
}

/* Grows and shrinks by turns, down to nothing, where no trace may be left. */
static void test_random(void **state)
{
	struct model *m = calloc(1, sizeof(*m));
	struct lab lab;
	bool add = true;

	(void)state;
	assert_non_null(m);
	name_sets(&lab, SETS, SET_MAX);
	build(&lab);
	for (unsigned i = 0; i < ROUNDS; i++) {
		if (m->n >= MODEL_MAX)
			add = false;
		else if (m->n == 0)
			add = true;
		change_one(&lab, m, add ? random_below(8) : !random_below(8));
		check_one(&lab, m);
		if (i % 500 == 0)
			check_lists(&lab, m);
	}
	while (m->n)
		change_one(&lab, m, false);
	assert_int_equal(lab.live.header->entries, 0);
	assert_int_equal(lab.live.header->keys.bands[0], 0);
	assert_int_equal(lab.live.header->keys.bands[1], 0);
	for (uint32_t i = SL_LIVE_HEADER_BYTES; i < lab.shape.records; i++)
		assert_int_equal(lab.live.base[i], 0);
	free(lab.live.base);
	free(m);
}

static struct sl_prefix prefix4(uint32_t address, unsigned length)
{
	return (struct sl_prefix){
		.family = 4,
		.length = (uint8_t)length,
		.addr = { (uint8_t)(address >> 24), (uint8_t)(address >> 16),
			  (uint8_t)(address >> 8), (uint8_t)address },
	};
}

/* As full as it may be: buckets overflow, and each entry is found. */
static void test_full(void **state)
{
	struct lab lab;
	struct sl_prefix p;
	unsigned spilled = 0;
	const uint64_t *slots;

	(void)state;
	name_sets(&lab, 2, 4096);
	build(&lab);
	slots = (const void *)(lab.live.base + lab.shape.buckets);
	for (uint32_t i = 0; i < 8192; i++) {
		p = prefix4(i * 0x9e3779b1u, 32);
		assert_int_equal(sl_live_add(&lab.live, i & 1, &p, &lab.error),
				 1);
	}
	for (uint32_t i = 0; i < 8192; i++) {
		p = prefix4(i * 0x9e3779b1u, 32);
		assert_int_equal(look_up(&lab, &p), 1u << (i & 1));
	}
	for (size_t i = 0; i < (size_t)SL_LIVE_SLOTS << lab.shape.bucket_bits;
	     i++)
		spilled += (slots[i] >> (32 + SL_LIVE_TAG_SPILL_SHIFT) &
			    SL_LIVE_SPILL) != 0;
	assert_true(spilled > 10);
	p = prefix4(0x01020300, 24);
	assert_int_equal(sl_live_add(&lab.live, 0, &p, &lab.error), -ENOSPC);
	assert_non_null(strstr(lab.error.text, "4096"));
	assert_int_equal(look_up(&lab, &p), 0);
	p = prefix4(0, 32);
	assert_int_equal(sl_live_del(&lab.live, 0, &p), 1);
	p = prefix4(0x01020300, 24);
	assert_int_equal(sl_live_add(&lab.live, 0, &p, &lab.error), 1);
	assert_int_equal(look_up(&lab, &p), 1);
	for (uint32_t i = 2; i < 8192; i += 2) {
		p = prefix4(i * 0x9e3779b1u, 32);
		assert_int_equal(sl_live_del(&lab.live, 0, &p), 1);
	}
	for (uint32_t i = 0; i < 8192; i++) {
		p = prefix4(i * 0x9e3779b1u, 32);
		assert_int_equal(look_up(&lab, &p), i & 1 ? 2 : 0);
	}
	free(lab.live.base);
}

/* Each side has its own address; what is not IP is in no set. */
static void test_sides(void **state)
{
	struct sl_prefix any = { .family = 4 };
	struct sl_packet p = { .family = SL_FAMILY_IP4 };
	struct sl_live_view view;
	struct lab lab;

	(void)state;
	name_sets(&lab, 2, 10);
	build(&lab);
	view = (struct sl_live_view){ &lab.shape, lab.live.base };
	any.addr[0] = 10;
	any.length = 8;
	assert_int_equal(sl_live_add(&lab.live, 1, &any, &lab.error), 1);
	p.src[0] = 10ULL << 56;
	assert_int_equal(sl_live_lookup(&view, &p, 0), 2);
	assert_int_equal(sl_live_lookup(&view, &p, 1), 0);
	p.family = SL_FAMILY_IP6;
	assert_int_equal(sl_live_lookup(&view, &p, 0), 0);
	p.family = SL_FAMILY_NONE;
	assert_int_equal(sl_live_lookup(&view, &p, 0), 0);
	free(lab.live.base);
}

static void test_limits(void **state)
{
	struct lab lab;

	(void)state;
	name_sets(&lab, SL_LIVE_SETS_MAX + 1, 10);
	assert_int_equal(sl_live_plan(&lab.config, &lab.shape, &lab.error),
			 -EINVAL);
	lab.sets[3].live = false;
	assert_int_equal(sl_live_plan(&lab.config, &lab.shape, &lab.error), 0);
	assert_int_equal(sl_config_live_bit(&lab.config, &lab.sets[2]), 2);
	assert_int_equal(sl_config_live_bit(&lab.config, &lab.sets[4]), 3);
	lab.config.limits.sets_bytes = lab.shape.bytes - 1;
	assert_int_equal(sl_live_plan(&lab.config, &lab.shape, &lab.error),
			 -EINVAL);
	assert_non_null(strstr(lab.error.text, "max N"));
	lab.config.limits.sets_bytes++;
	lab.sets[0].max = SL_LIVE_PREFIXES_MAX + 1;
	assert_int_equal(sl_live_plan(&lab.config, &lab.shape, &lab.error),
			 -EINVAL);
	name_sets(&lab, SETS, 0);
	for (int i = 0; i < SETS; i++)
		lab.sets[i].live = false;
	assert_int_equal(sl_live_plan(&lab.config, &lab.shape, &lab.error), 0);
	assert_int_equal(lab.shape.bytes, 0);
}

#define STAY 12	  /* prefixes of set 0, there throughout */
#define AROUND 80 /* of set 1 and 2, that come and go */

struct race {
	struct lab lab;
	struct sl_prefix stay[STAY];
	struct sl_prefix around[AROUND];
	struct sl_prefix outside[2];
	atomic_bool done;
	unsigned long looks, missed, wrong, seen[3];
};

/*
 * What stays is always found, what nothing holds never; of what comes and goes
 * no more than its own set is seen.
 */
static void *read_all(void *context)
{
	struct race *r = context;

	while (!atomic_load(&r->done)) {
		for (int i = 0; i < STAY; i++) {
			uint32_t mask = look_up(&r->lab, &r->stay[i]);

			r->missed += !(mask & 1);
			r->wrong += mask > 7;
		}
		for (int i = 0; i < AROUND && r->looks % 16 == 0; i++) {
			uint32_t mask = look_up(&r->lab, &r->around[i]);

			for (int bit = 1; bit < 3; bit++)
				r->seen[bit] += mask >> bit & 1;
		}
		for (int i = 0; i < 2; i++)
			r->wrong += look_up(&r->lab, &r->outside[i]) != 0;
		r->looks++;
	}
	return NULL;
}

/* Around p: shorter, as long, longer, with a bit changed. */
static struct sl_prefix near(const struct sl_prefix *p)
{
	unsigned bits = p->family == 4 ? 32 : 128;
	struct sl_prefix q = *p;

	q.length = (uint8_t)(2 + random_below(random_below(2) ? bits - 1 : 15));
	if (random_below(3))
		q.addr[random_below(bits / 8)] ^=
			(uint8_t)(1u << random_below(8));
	q.addr[0] = p->addr[0]; /* away from what is outside */
	for (unsigned bit = q.length; bit < bits; bit++)
		q.addr[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	return q;
}

static void prepare(struct race *r)
{
	name_sets(&r->lab, 3, AROUND + STAY);
	build(&r->lab);
	for (int i = 0; i < STAY; i++) {
		do
			r->stay[i] = random_prefix(false);
		while (r->stay[i].length < 9 ||
		       (i % 2 && r->stay[i].length > 16));
		r->stay[i].addr[0] = 0xc0;
		assert_true(sl_live_add(&r->lab.live, 0, &r->stay[i],
					&r->lab.error) >= 0);
	}
	for (int i = 0; i < AROUND; i++)
		r->around[i] = near(&r->stay[random_below(STAY)]);
	r->outside[0] = (struct sl_prefix){ .family = 4, .addr = { 1, 2, 3 } };
	r->outside[1] = (struct sl_prefix){ .family = 6, .addr = { 1, 2, 3 } };
}

static void test_reader(void **state)
{
	struct race *r = calloc(1, sizeof(*r));
	pthread_t thread;

	(void)state;
	assert_non_null(r);
	prepare(r);
	assert_int_equal(pthread_create(&thread, NULL, read_all, r), 0);
	for (int i = 0; i < CHANGES; i++) {
		const struct sl_prefix *p = &r->around[random_below(AROUND)];
		unsigned set = 1 + random_below(2);
		int done = random_below(2) ? sl_live_add(&r->lab.live, set, p,
							 &r->lab.error) :
					     sl_live_del(&r->lab.live, set, p);

		assert_true(done >= 0);
	}
	atomic_store(&r->done, true);
	pthread_join(thread, NULL);
	print_message("the reader looked %lu times\n", r->looks);
	assert_true(r->looks > 10 && r->seen[1] && r->seen[2]);
	assert_int_equal(r->missed, 0);
	assert_int_equal(r->wrong, 0);
	/* More came and went than there are records: they were used again. */
	assert_int_equal(r->lab.live.header->records_used,
			 r->lab.shape.n_records);
	free(r->lab.live.base);
	free(r);
}

int main(void)
{
	const char *seed = getenv("SLUICE_SEED");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random), cmocka_unit_test(test_full),
		cmocka_unit_test(test_sides),  cmocka_unit_test(test_limits),
		cmocka_unit_test(test_reader),
	};

	random_state = seed ? strtoull(seed, NULL, 0) : 0x51a1ce5e75ULL;
	if (!random_state)
		random_state = 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
