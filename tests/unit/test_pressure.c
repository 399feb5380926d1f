/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The definition of pressure, number by number, and the reader on this kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/pressure.h"

#define MS 1000000ull
#define BUDGET (8 * MS)

static const struct sl_pressure_count zero = { .online = true,
					       .deferred = true };

static struct sl_pressure_figure of(struct sl_pressure_count after)
{
	after.online = true;
	after.deferred = true;
	return sl_pressure_between(&zero, &after, 100 * MS, BUDGET);
}

static void near(double got, double want)
{
	assert_true(got > want - 1e-9 && got < want + 1e-9);
}

static void deferred_is_run_and_wait(void **state)
{
	struct sl_pressure_figure f = of((struct sl_pressure_count){
		.run_ns = 10 * MS, .wait_ns = 15 * MS });

	(void)state;
	near(f.deferred, 0.25);
	near(f.exhausted, 0);
	near(f.pressure, 0.25);
	assert_true(f.has_deferred);
	assert_int_equal(f.time_ns, 100 * MS);
	/* A wait that began before the interval is booked when it ends. */
	near(of((struct sl_pressure_count){ .wait_ns = 900 * MS }).pressure, 1);
}

static void exhausted_is_of_rounds(void **state)
{
	(void)state;
	near(of((struct sl_pressure_count){ .rounds = 200, .squeezed = 50 })
		     .exhausted,
	     0.25);
	/* 100 ms have 12 budgets of 8 ms: one squeezed round is not all. */
	near(of((struct sl_pressure_count){ .rounds = 1, .squeezed = 1 })
		     .exhausted,
	     1.0 / 12);
	near(of((struct sl_pressure_count){ .rounds = 12, .squeezed = 12 })
		     .exhausted,
	     1);
	near(of((struct sl_pressure_count){ .rounds = 2, .squeezed = 30 })
		     .exhausted,
	     1);
	near(of((struct sl_pressure_count){ 0 }).pressure, 0);
}

static void pressure_is_the_greater(void **state)
{
	struct sl_pressure_figure f = of((struct sl_pressure_count){
		.run_ns = 10 * MS, .rounds = 100, .squeezed = 60 });

	(void)state;
	near(f.deferred, 0.1);
	near(f.pressure, 0.6);
}

static void what_is_not_there(void **state)
{
	struct sl_pressure_count off = { .run_ns = 5 }, after = zero;
	struct sl_pressure_figure f;

	(void)state;
	near(sl_pressure_between(&zero, &off, 100 * MS, BUDGET).pressure, 0);
	assert_int_equal(
		sl_pressure_between(&off, &zero, 100 * MS, BUDGET).time_ns, 0);
	assert_int_equal(sl_pressure_between(&zero, &zero, 0, BUDGET).time_ns,
			 0);
	/* ksoftirqd unseen: what is left is the other part. */
	after.deferred = false;
	after.run_ns = 90 * MS;
	after.rounds = after.squeezed = 50;
	f = sl_pressure_between(&zero, &after, 100 * MS, BUDGET);
	assert_false(f.has_deferred);
	near(f.deferred, 0);
	near(f.pressure, 1);
	/* Counters that began anew. */
	after = zero;
	f = sl_pressure_between(&(struct sl_pressure_count){ .run_ns = 7,
							     .rounds = 9,
							     .squeezed = 9,
							     .online = true,
							     .deferred = true },
				&after, 100 * MS, BUDGET);
	near(f.pressure, 0);
	/* No budget told: the rounds alone. */
	after.rounds = 4;
	after.squeezed = 1;
	near(sl_pressure_between(&zero, &after, 100 * MS, 0).exhausted, 0.25);
}

/* Counts of this kernel rise, and figures are shares. */
static void this_kernel(void **state)
{
	struct sl_pressure *p = NULL;
	struct sl_pressure_count before, after;
	uint32_t online = 0;

	(void)state;
	assert_int_equal(sl_pressure_open(&p), 0);
	assert_true(sl_pressure_cpus(p) > 0);
	assert_true(sl_pressure_budget_ns(p) >= 1000);
	assert_int_equal(sl_pressure_get(p, 0).time_ns, 0);
	before = sl_pressure_counted(p, 0);
	usleep(20000);
	assert_int_equal(sl_pressure_read(p), 0);
	after = sl_pressure_counted(p, 0);
	assert_true(after.rounds >= before.rounds);
	for (uint32_t cpu = 0; cpu < sl_pressure_cpus(p); cpu++) {
		struct sl_pressure_figure f = sl_pressure_get(p, cpu);

		online += sl_pressure_counted(p, cpu).online;
		assert_true(f.pressure >= 0 && f.pressure <= 1);
		if (sl_pressure_counted(p, cpu).online)
			assert_true(f.time_ns >= 20 * MS);
	}
	assert_int_equal(online, sysconf(_SC_NPROCESSORS_ONLN));
	assert_int_equal(sl_pressure_get(p, 1u << 30).time_ns, 0);
	assert_false(sl_pressure_counted(p, 1u << 30).online);
	sl_pressure_close(p);
	sl_pressure_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(deferred_is_run_and_wait),
		cmocka_unit_test(exhausted_is_of_rounds),
		cmocka_unit_test(pressure_is_the_greater),
		cmocka_unit_test(what_is_not_there),
		cmocka_unit_test(this_kernel),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("pressure", tests, NULL, NULL);
}
