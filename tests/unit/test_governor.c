// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The governor of `poll adaptive`: its rules one by one, then recorded traffic from traces/.
 *
 * A trace is what a worker saw, a line a sample: microseconds since the one before, packets,
 * pressure in thousandths, 1 where NAPI was driven. A line `expect ...` bounds what the governor
 * may make of it: turns MIN MAX, polled MIN MAX (percent of the time).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "afxdp-app/governor.h"

#define TRACES "tests/unit/traces"
#define MS 1000000ull

static struct sl_governor governor;
static uint64_t clock_ns;

static int setup(void **state)
{
	(void)state;
	clock_ns = 77;
	sl_governor_init(&governor, clock_ns);
	return 0;
}

static bool see(uint64_t elapsed_ns, uint64_t packets, uint32_t pressure,
		bool drives)
{
	const struct sl_governor_sample sample = {
		.now_ns = clock_ns += elapsed_ns,
		.elapsed_ns = elapsed_ns,
		.packets = packets,
		.pressure = pressure,
		.drives = drives,
	};

	return sl_governor_step(&governor, &sample);
}

/* Milliseconds at a rate until the answer is `polling`; -1: not within `most`. */
static int until(bool polling, uint64_t packets, int most)
{
	for (int ms = 1; ms <= most; ms++)
		if (see(MS, packets, 0, false) == polling)
			return ms;
	return -1;
}

static void begins_asleep_and_stays(void **state)
{
	(void)state;
	assert_int_equal(until(true, 0, 1000), -1);
	assert_int_equal(until(true, SL_GOVERNOR_UP_PPMS - 1, 1000), -1);
	assert_int_equal(governor.transitions, 0);
}

static void rises_after_two_windows(void **state)
{
	(void)state;
	assert_int_equal(until(true, SL_GOVERNOR_UP_PPMS, 10), 2);
	/* One burst is none, and neither are many with a window between. */
	setup(state);
	for (int i = 0; i < 100; i++) {
		assert_false(see(MS, 10000, 0, false));
		assert_false(see(MS, 0, 0, false));
	}
}

/* The rate counts, not the packets: a window that a sleep made long. */
static void long_windows_are_rates(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++)
		assert_false(
			see(100 * MS, 100 * SL_GOVERNOR_UP_PPMS - 1, 0, false));
	assert_false(see(100 * MS, 100 * SL_GOVERNOR_UP_PPMS, 0, false));
	assert_true(see(100 * MS, 100 * SL_GOVERNOR_UP_PPMS, 0, false));
}

static void falls_when_it_is_quiet(void **state)
{
	int stay_ms = (int)(SL_GOVERNOR_STAY_NS / MS);

	(void)state;
	until(true, 1000, 10);
	assert_int_equal(until(false, 0, 1000), stay_ms);
	until(true, 1000, 10);
	assert_true(governor.stay_ns > SL_GOVERNOR_STAY_NS);
	/* Between the thresholds it goes on as it is, either way. */
	assert_int_equal(until(false, SL_GOVERNOR_DOWN_PPMS, 5000), -1);
	assert_int_not_equal(until(false, SL_GOVERNOR_DOWN_PPMS - 1, 5000), -1);
	assert_int_equal(until(true, SL_GOVERNOR_UP_PPMS - 1, 5000), -1);
}

/* A pause that is not as long as it stays: enough packets begin the time anew. */
static void packets_prolong(void **state)
{
	(void)state;
	until(true, 1000, 10);
	for (int i = 0; i < 100; i++) {
		for (int ms = 0; ms < 9; ms++)
			assert_true(see(MS, 0, 0, false));
		assert_true(see(MS, SL_GOVERNOR_DOWN_PPMS, 0, false));
	}
}

/* At either threshold, with noise on top, it turns at most once. */
static void no_rate_makes_it_waver(void **state)
{
	(void)state;
	for (uint64_t rate = 16; rate <= 128; rate++) {
		uint64_t noise = 1;

		setup(state);
		for (int ms = 0; ms < 10000; ms++) {
			noise = noise * 6364136223846793005ull +
				1442695040888963407ull;
			/* A fifth up or down. */
			see(MS, rate * (80 + (noise >> 33) % 41) / 100, 0,
			    false);
		}
		assert_in_range(governor.transitions, 0, 1);
	}
}

/* Bursts with pauses of 12 ms, more than it stays at first: it learns to stay. */
static void bursts_are_bridged(void **state)
{
	(void)state;
	for (int burst = 0; burst < 1000; burst++) {
		until(true, 500, 3);
		for (int ms = 0; ms < 12; ms++)
			see(MS, 0, 0, false);
	}
	assert_in_range(governor.transitions, 1, 5);
	assert_true(governor.polling);
}

/* As long asleep as it would have stayed is not soon. */
static void soon_is_within_the_stay(void **state)
{
	(void)state;
	until(true, 500, 3);
	until(false, 0, 100);
	assert_int_equal(until(true, 0, 8), -1);
	assert_int_equal(until(true, 500, 3), 2);
	assert_int_equal(governor.stay_ns, SL_GOVERNOR_STAY_NS);
	until(false, 0, 100);
	assert_int_equal(until(true, 0, 7), -1);
	assert_int_equal(until(true, 500, 3), 2);
	assert_int_equal(governor.stay_ns, 2 * SL_GOVERNOR_STAY_NS);
}

static void stay_is_bounded_and_forgotten(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++) {
		until(true, 500, 3);
		until(false, 0, 5000);
		assert_true(governor.stay_ns <= SL_GOVERNOR_STAY_MAX_NS);
	}
	assert_int_equal(governor.stay_ns, SL_GOVERNOR_STAY_MAX_NS);
	until(true, 0, (int)(SL_GOVERNOR_CALM_NS / MS));
	until(true, 500, 3);
	assert_int_equal(governor.stay_ns, SL_GOVERNOR_STAY_NS);
	/* A sleep between the two neither doubles nor forgets. */
	until(false, 0, 5000);
	until(true, 0, 50);
	until(true, 500, 3);
	assert_int_equal(governor.stay_ns, SL_GOVERNOR_STAY_NS);
}

/* Where NAPI is ours, softirqs that wait are a reason to run it; with packets, at once. */
static void pressure_wakes_a_driver(void **state)
{
	(void)state;
	assert_int_equal(SL_GOVERNOR_PRESSED, 500);
	assert_int_equal(until(true, 0, 100), -1);
	assert_false(see(MS, 0, 1000, true));
	assert_false(see(MS, 1, SL_GOVERNOR_PRESSED - 1, true));
	assert_true(see(MS, 1, SL_GOVERNOR_PRESSED, true));
	assert_true(see(MS, 1, 0, true));
	/* And no reason to stop, gone or not. */
	for (int ms = 0; ms < 100; ms++)
		assert_true(see(MS, 100, ms & 1 ? 1000 : 0, true));
}

/* Elsewhere a worker that spins is in ksoftirqd's way. */
static void pressure_stops_a_spinner(void **state)
{
	(void)state;
	until(true, 1000, 10);
	assert_true(see(MS, 1000, SL_GOVERNOR_PRESSED - 1, false));
	assert_false(see(MS, 1000, SL_GOVERNOR_PRESSED, false));
	for (int ms = 0; ms < 100; ms++)
		assert_false(see(MS, 1000, SL_GOVERNOR_RELIEVED, false));
	assert_true(see(MS, 1000, SL_GOVERNOR_RELIEVED - 1, false));
	/* Relief was below the lower bound; what is between them is no pressure then. */
	assert_true(see(MS, 1000, SL_GOVERNOR_RELIEVED, false));
}

struct outcome {
	unsigned long turns[2], polled[2]; /* bounds */
	unsigned samples;
	uint64_t total_ns, polled_ns;
};

static void line_play(const char *line, const char *name, struct outcome *out)
{
	unsigned long us, packets;
	unsigned pressure, drives;
	bool polling = governor.polling;

	if (line[0] == '#' || line[0] == '\n')
		return;
	if (sscanf(line, "expect turns %lu %lu", &out->turns[0],
		   &out->turns[1]) == 2 ||
	    sscanf(line, "expect polled %lu %lu", &out->polled[0],
		   &out->polled[1]) == 2)
		return;
	if (sscanf(line, "%lu %lu %u %u", &us, &packets, &pressure, &drives) !=
		    4 ||
	    !us)
		fail_msg("%s: cannot read: %s", name, line);
	see(us * 1000, packets, pressure, drives);
	out->samples++;
	out->total_ns += us * 1000;
	out->polled_ns += polling ? us * 1000 : 0;
}

static void trace_play(const char *name)
{
	struct outcome out = { .turns = { 1, 0 }, .polled = { 1, 0 } };
	char path[512], line[256];
	unsigned long percent;
	FILE *in;

	snprintf(path, sizeof(path), "%s/%s", TRACES, name);
	in = fopen(path, "r");
	assert_non_null(in);
	setup(NULL);
	while (fgets(line, sizeof(line), in))
		line_play(line, name, &out);
	fclose(in);
	if (out.samples < 100 || out.turns[0] > out.turns[1] ||
	    out.polled[0] > out.polled[1])
		fail_msg("%s: too short, or does not say what to expect", name);
	percent = (unsigned long)(out.polled_ns * 100 / out.total_ns);
	print_message("# %s: %u samples, %lu turns, polled %lu %%\n", name,
		      out.samples, (unsigned long)governor.transitions,
		      percent);
	if (governor.transitions < out.turns[0] ||
	    governor.transitions > out.turns[1])
		fail_msg("%s: %lu turns, expected %lu to %lu", name,
			 (unsigned long)governor.transitions, out.turns[0],
			 out.turns[1]);
	if (percent < out.polled[0] || percent > out.polled[1])
		fail_msg("%s: polled %lu %%, expected %lu to %lu", name,
			 percent, out.polled[0], out.polled[1]);
}

static void recorded_traces(void **state)
{
	DIR *folder = opendir(TRACES);
	unsigned played = 0;

	(void)state;
	assert_non_null(folder);
	for (struct dirent *entry; (entry = readdir(folder));) {
		size_t length = strlen(entry->d_name);

		if (length < 4 || strcmp(entry->d_name + length - 4, ".txt"))
			continue;
		trace_play(entry->d_name);
		played++;
	}
	closedir(folder);
	assert_true(played >= 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(begins_asleep_and_stays, setup),
		cmocka_unit_test_setup(rises_after_two_windows, setup),
		cmocka_unit_test_setup(long_windows_are_rates, setup),
		cmocka_unit_test_setup(falls_when_it_is_quiet, setup),
		cmocka_unit_test_setup(packets_prolong, setup),
		cmocka_unit_test_setup(no_rate_makes_it_waver, setup),
		cmocka_unit_test_setup(bursts_are_bridged, setup),
		cmocka_unit_test_setup(soon_is_within_the_stay, setup),
		cmocka_unit_test_setup(stay_is_bounded_and_forgotten, setup),
		cmocka_unit_test_setup(pressure_wakes_a_driver, setup),
		cmocka_unit_test_setup(pressure_stops_a_spinner, setup),
		cmocka_unit_test_setup(recorded_traces, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
