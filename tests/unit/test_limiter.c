// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What lib/limiter.c makes of a rule: constants, slots and lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "lib/config.h"
#include "lib/limiter.h"

#define CPUS 2

static struct sl_action_spec spec(uint64_t rate, bool bits, uint64_t burst)
{
	return (struct sl_action_spec){ .action = SL_ACTION_LIMIT,
					.rate = { rate, bits },
					.burst = burst,
					.source4_bits = 32,
					.source6_bits = 128 };
}

static void test_constants(void **state)
{
	struct sl_action_spec s = spec(0, false, 0);
	struct sl_limiter l = { .rate = 77 };

	(void)state;
	assert_int_equal(sl_limiter_init(&l, "r", &s, 1, 1), -EINVAL);
	s = spec(1000000000001ull, false, 0);
	assert_int_equal(sl_limiter_init(&l, "r", &s, 1, 1), -ERANGE);
	s = spec(1, false, 0);
	assert_int_equal(sl_limiter_init(&l,
					 "0123456789012345678901234567890123456"
					 "789012345678901234567890123",
					 &s, 1, 1),
			 -ERANGE);
	assert_int_equal(l.rate, 77);

	/* The rates where the arithmetic is tightest. */
	for (int i = 0; i < 16; i++) {
		s = spec(i & 1 ? 1000000000000ull : 1, i & 2, 0);
		s.burst = i & 4 ? UINT32_MAX : 1;
		s.per_source = i & 8;
		assert_int_equal(sl_limiter_init(&l, "r", &s, 512, 1), 0);
		assert_true(l.mult > 0 && l.mult >> 36 == 0);
		assert_true(l.batch_cost <= l.reach);
		if (s.per_source)
			assert_true(l.window >> 39 == 0 && l.window > l.reach);
		else
			assert_true(l.batch >= 1);
	}

	/* 10 us of the rate, or a 16th of the burst over all CPUs. */
	s = spec(5000000, false, 0);
	assert_int_equal(sl_limiter_init(&l, "r", &s, 2, 1), 0);
	assert_int_equal(l.batch, 50);
	s.burst = 320;
	assert_int_equal(sl_limiter_init(&l, "r", &s, 2, 1), 0);
	assert_int_equal(l.batch, 10);
	s = spec(5000000, false, 0);
	assert_int_equal(sl_limiter_burst(&s), 500000);
	s = spec(10, false, 0);
	assert_int_equal(sl_limiter_burst(&s), 8);
	s = spec(1000000000, true, 0);
	assert_int_equal(sl_limiter_burst(&s), 12500000);
	s = spec(1000000, true, 0);
	assert_int_equal(sl_limiter_burst(&s), 65536);
}

static void want(struct sl_limiter_want *w, const char *name, uint64_t rate,
		 bool per_source, uint64_t secret)
{
	struct sl_action_spec s = spec(rate, false, 0);

	s.per_source = per_source;
	assert_int_equal(sl_limiter_init(&w->limiter, name, &s, CPUS, secret),
			 0);
}

static void test_places(void **state)
{
	static struct sl_limiter table[SL_LIMITERS_MAX];
	struct sl_limiter_want a[3] = { 0 }, b[3] = { 0 };
	const uint32_t n = SL_LIMITER_SOURCE_LINES;

	(void)state;
	want(&a[0], "one", 100, false, 1);
	want(&a[1], "two", 100, true, 2);
	want(&a[2], "three", 100, false, 3);
	assert_int_equal(sl_limiters_place(table, 2 * n + 4, a, 3), 0);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(a[i].slot, i);
		assert_true(a[i].fresh);
		table[i] = a[i].limiter;
	}
	assert_int_equal(a[0].limiter.line, 0);
	assert_int_equal(a[1].limiter.line, 1);
	assert_int_equal(a[2].limiter.line, n + 1);

	/* "two" stays, with its key; "three" has changed; "four" is new. */
	want(&b[0], "two", 100, true, 4);
	want(&b[1], "three", 101, false, 5);
	want(&b[2], "four", 100, false, 6);
	assert_int_equal(sl_limiters_place(table, 2 * n + 4, b, 3), 0);
	assert_false(b[0].fresh);
	assert_int_equal(b[0].slot, 1);
	assert_memory_equal(&b[0].limiter, &a[1].limiter, sizeof(a[1].limiter));
	assert_true(b[1].fresh && b[2].fresh);
	assert_int_equal(b[1].slot, 3);
	assert_int_equal(b[1].limiter.line, n + 2);
	assert_int_equal(b[2].slot, 4);
	assert_int_equal(b[2].limiter.line, n + 3);

	/* A second table of sources does not fit beside; slots run out. */
	want(&b[0], "two", 101, true, 7);
	assert_int_equal(sl_limiters_place(table, 2 * n, b, 1), -ENOSPC);
	for (size_t i = 3; i < SL_LIMITERS_MAX; i++)
		table[i] = a[0].limiter;
	want(&b[0], "five", 100, false, 8);
	assert_int_equal(sl_limiters_place(table, 2 * n, b, 1), -ENOSPC);
	want(&b[0], "one", 100, false, 8);
	assert_int_equal(sl_limiters_place(table, 2 * n, b, 1), 0);
	assert_int_equal(b[0].slot, 0);
}

/* 64 rules, or 32 per source: the maps hold two configurations. */
static void test_counts(void **state)
{
	struct sl_limiter_sum sum = { 0 };

	(void)state;
	for (int i = 0; i < 32; i++)
		assert_null(sl_limiter_count(&sum, SL_LIMITER_SOURCE_LINES));
	assert_int_equal(2 * sum.n_lines, SL_LIMITER_LINES_MAX);
	assert_non_null(strstr(sl_limiter_count(&sum, 1), "32 MiB"));
	assert_int_equal(sum.n_limiters, 32);

	sum = (struct sl_limiter_sum){ 0 };
	for (int i = 0; i < SL_LIMITERS_MAX / 2; i++)
		assert_null(sl_limiter_count(&sum, 1));
	assert_non_null(strstr(sl_limiter_count(&sum, 1), "64 limit rules"));
	assert_int_equal(sum.n_lines, 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_constants),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_counts),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("limiter", tests, NULL, NULL);
}
