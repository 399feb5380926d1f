// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The limiter: the host build of xdp/limit.h on a clock that the test sets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/config.h"
#include "lib/limiter.h"

static uint64_t clock_ns, clock_reads;

#define SL_LIMIT_CLOCK_NS() (clock_reads++, clock_ns)
#define SL_LIMIT_JIFFIES() (clock_ns / 4000000)
#include "xdp/limit.h"

#define NS_PER_S 1000000000ull
#define CPUS 2
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Of the lab's limiter: a power of two. */
#define LINES_MAX SL_LIMITER_SOURCE_LINES

struct lab {
	struct sl_limiter limiter;
	struct sl_limit_cpu cpu[CPUS];
	struct sl_limit_line *lines;
	uint64_t random;
};

static uint64_t draw(struct lab *lab)
{
	lab->random ^= lab->random << 13;
	lab->random ^= lab->random >> 7;
	lab->random ^= lab->random << 17;
	return lab->random;
}

static struct sl_action_spec spec(uint64_t rate, bool bits, uint64_t burst)
{
	return (struct sl_action_spec){ .action = SL_ACTION_LIMIT,
					.rate = { rate, bits },
					.burst = burst,
					.source4_bits = 32,
					.source6_bits = 128 };
}

/* A limiter that has never been asked, an hour after the start of the clock. */
static void lab_init(struct lab *lab, const struct sl_action_spec *s)
{
	*lab = (struct lab){ .random = 88172645463325252ull };
	lab->lines = calloc(LINES_MAX, sizeof(*lab->lines));
	assert_non_null(lab->lines);
	assert_int_equal(sl_limiter_init(&lab->limiter, "r", s, CPUS, 7), 0);
	clock_ns = 3600 * NS_PER_S;
}

static void lab_fini(struct lab *lab)
{
	free(lab->lines);
}

/* One packet of an IPv4 source on a CPU. */
static bool ask(struct lab *lab, uint32_t cpu, uint64_t source, uint32_t bytes)
{
	const __u64 src[2] = { source << 32, 0 };
	__u64 hash;
	uint32_t line =
		sl_limit_locate(&lab->limiter, src, SL_FAMILY_IP4, &hash);

	assert_true(line < LINES_MAX);
	return sl_limit_conforms(&lab->limiter, &lab->cpu[cpu],
				 &lab->lines[line], hash, bytes);
}

/*
 * Offers packets of 64 to 1,500 bytes, one every gap_ns on average, on either
 * CPU, for a time; how many tokens passed.
 */
static uint64_t offer(struct lab *lab, uint64_t gap_ns, uint64_t time_ns)
{
	uint64_t end_ns = clock_ns + time_ns, passed = 0;

	while (clock_ns < end_ns) {
		uint64_t x = draw(lab);
		uint32_t bytes = 64 + (uint32_t)(x >> 40) % 1437;

		clock_ns += x % (2 * gap_ns + 1);
		if (ask(lab, x >> 32 & 1, 1, bytes))
			passed += lab->limiter.flags & SL_LIMIT_BYTES ? bytes :
									1;
	}
	return passed;
}

static void assert_near(uint64_t got, uint64_t want, unsigned permille)
{
	if (got > want + want * permille / 1000 ||
	    got < want - want * permille / 1000)
		fail_msg("%llu is not within %u/1000 of %llu",
			 (unsigned long long)got, permille,
			 (unsigned long long)want);
}

struct rate {
	uint64_t rate;
	bool bits, per_source;
	uint64_t burst, gap_ns, time_ns;
	unsigned permille;
};

static const struct rate rates[] = {
	{ 100, false, false, 0, 100000, 10 * NS_PER_S, 5 },
	{ 100, false, false, 1, 20000, 10 * NS_PER_S, 20 },
	{ 10000, false, false, 0, 5000, NS_PER_S, 5 },
	{ 10000, false, false, 1, 500, NS_PER_S, 20 },
	{ 333333, false, false, 0, 500, NS_PER_S, 5 },
	{ 1000000, false, false, 0, 300, NS_PER_S / 4, 5 },
	{ 5000000, false, false, 0, 60, NS_PER_S / 8, 5 },
	{ 5000000, false, false, 64, 60, NS_PER_S / 8, 20 },
	/* 1 Mbps of 782 bytes on average is a packet in 6.3 ms. */
	{ 1000000, true, false, 0, 600000, 60 * NS_PER_S, 10 },
	{ 1000000000, true, false, 0, 1000, NS_PER_S, 5 },
	{ 40000000000, true, false, 0, 50, NS_PER_S / 20, 5 },
	{ 100, false, true, 0, 100000, 10 * NS_PER_S, 5 },
	{ 10000, false, true, 1, 500, NS_PER_S, 20 },
	{ 333333, false, true, 0, 500, NS_PER_S, 5 },
	{ 5000000, false, true, 0, 60, NS_PER_S / 8, 5 },
	{ 1000000000, true, true, 0, 1000, NS_PER_S, 5 },
	{ 40000000000, true, true, 0, 50, NS_PER_S / 20, 5 },
};

/* More is offered than may pass: what passes after the burst is the rate. */
static void test_rates(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rates); i++) {
		const struct rate *r = &rates[i];
		struct sl_action_spec s = spec(r->rate, r->bits, r->burst);
		uint64_t most, passed, all, per_s = r->rate;
		struct lab lab;

		s.per_source = r->per_source;
		if (r->bits)
			per_s /= 8;
		lab_init(&lab, &s);
		all = offer(&lab, r->gap_ns, NS_PER_S / 5);
		/* Until the burst is gone. */
		for (int k = 0; k < 20 && all > per_s / 5 * 3 / 2; k++)
			all = offer(&lab, r->gap_ns, NS_PER_S / 5);
		passed = offer(&lab, r->gap_ns, r->time_ns);
		most = per_s * (r->time_ns / 1000) / 1000000;
		print_message("# %llu %s, burst %llu%s: %llu of %llu\n",
			      (unsigned long long)r->rate,
			      r->bits ? "bps" : "pps",
			      (unsigned long long)lab.limiter.burst,
			      r->per_source ? ", per source" : "",
			      (unsigned long long)passed,
			      (unsigned long long)most);
		assert_near(passed, most, r->permille);
		lab_fini(&lab);
	}
}

/* Nine tenths of the rate are offered, unevenly: nothing is refused. */
static void test_conforming(void **state)
{
	static const uint64_t some[] = { 100, 10000, 1000000, 5000000 };

	(void)state;
	for (size_t i = 0; i < 2 * COUNT(some); i++) {
		struct sl_action_spec s = spec(some[i / 2], false, 0);
		uint64_t gap_ns = NS_PER_S / some[i / 2] * 10 / 9;
		struct lab lab;

		s.per_source = i & 1;
		s.burst = 200;
		lab_init(&lab, &s);
		for (int k = 0; k < 100000; k++) {
			uint64_t x = draw(&lab);

			clock_ns += gap_ns / 2 + x % (gap_ns + 1);
			assert_true(ask(&lab, x >> 32 & 1, 1, 64));
		}
		lab_fini(&lab);
	}
}

/* After an idle hour, and again after a flood and a second: all of the burst. */
static void test_burst(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct sl_action_spec s = spec(1000, false, 100);
		struct lab lab;
		int passed = 0;

		s.per_source = i & 1;
		/* In bytes: 8 kbps are 1,000 a second, a packet has 10. */
		if (i & 2)
			s = spec(8000, true, 1000);
		lab_init(&lab, &s);
		for (int k = 0; k < 100000; k++)
			passed += ask(&lab, k & 1, 1, 10);
		assert_int_equal(passed, 100);
		clock_ns += NS_PER_S / 100;
		passed = 0;
		for (int k = 0; k < 100000; k++)
			passed += ask(&lab, k & 1, 1, 10);
		assert_int_equal(passed, i & 2 ? 1 : 10);
		/* The last refusals must not be remembered for long. */
		clock_ns += NS_PER_S;
		for (int k = 0; k < 100; k++)
			assert_true(ask(&lab, k & 1, 1, 10));
		assert_false(ask(&lab, 0, 1, 10));
		lab_fini(&lab);
	}
}

/* A frame of more bytes than the burst is refused, and no other for its sake. */
static void test_oversize(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct sl_action_spec s = spec(8000, true, 1000);
		struct lab lab;

		s.per_source = i;
		lab_init(&lab, &s);
		for (int k = 0; k < 10; k++) {
			assert_false(ask(&lab, 0, 1, 1001));
			assert_true(ask(&lab, 0, 1, 64));
			clock_ns += NS_PER_S / 10;
		}
		lab_fini(&lab);
	}
}

/* A flood that is refused reads the clock for one packet in 16 at most. */
static void test_clock_reads(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct sl_action_spec s = spec(10000, false, 0);
		struct lab lab;

		s.per_source = i;
		lab_init(&lab, &s);
		offer(&lab, 100, NS_PER_S / 10);
		clock_reads = 0;
		offer(&lab, 100, NS_PER_S / 10);
		assert_in_range(clock_reads, 1, NS_PER_S / 10 / 100 / 16);
		lab_fini(&lab);
	}
}

/*
 * Two known sources in a flood of others that has too few buckets: one offers
 * ten times its rate, one nine tenths of it.
 */
static void test_flood(void **state)
{
	struct sl_action_spec s = spec(1000, false, 0);
	uint64_t end_ns, next[2] = { 0 }, passed = 0, refused = 0;
	struct lab lab;

	(void)state;
	s.per_source = true;
	lab_init(&lab, &s);
	lab.limiter.line_shift = 64 - 4;
	offer(&lab, 100000, NS_PER_S);
	end_ns = clock_ns + NS_PER_S;
	while (clock_ns < end_ns) {
		uint64_t x = draw(&lab);

		clock_ns += 500;
		assert_true(ask(&lab, x & 1, x | 1u << 31, 64));
		if (clock_ns >= next[0]) {
			next[0] = clock_ns + 100000;
			passed += ask(&lab, x >> 1 & 1, 1, 64);
		}
		if (clock_ns >= next[1]) {
			next[1] = clock_ns + 1111111;
			refused += !ask(&lab, x >> 2 & 1, 2, 64);
		}
	}
	assert_near(passed, 1000, 50);
	assert_int_equal(refused, 0);
	assert_in_range(lab.cpu[0].evicted, 10000, 2000000);
	lab_fini(&lab);
}

/* Sources that fit are not evicted, and each has a burst of its own. */
static void test_sources(void **state)
{
	struct sl_action_spec s = spec(1, false, 3);
	struct lab lab;

	(void)state;
	s.per_source = true;
	lab_init(&lab, &s);
	for (uint64_t n = 1; n <= 10000; n++)
		for (int k = 0; k < 4; k++)
			assert_int_equal(ask(&lab, k & 1, n, 64), k < 3);
	assert_int_equal(lab.cpu[0].evicted + lab.cpu[1].evicted, 0);
	lab_fini(&lab);
}

/* The times of buckets wrap; a source that keeps sending does not notice. */
static void test_wrap(void **state)
{
	static const uint64_t some[] = { 1, 1000, 5000000 };

	(void)state;
	for (size_t i = 0; i < COUNT(some); i++) {
		struct sl_action_spec s = spec(some[i], false, 10);
		struct lab lab;
		uint64_t step_ns = NS_PER_S / some[i] / 2, wrap_ns;
		int passed = 0;

		s.per_source = true;
		lab_init(&lab, &s);
		wrap_ns = (SL_LIMIT_TIME_MASK >> 4) << lab.limiter.unit_shift;
		clock_ns = wrap_ns - 100 * step_ns;
		for (int k = 0; k < 200; k++) {
			passed += ask(&lab, 0, 1, 64);
			clock_ns += step_ns;
		}
		/* 100 and the burst; a unit may be lost at either end. */
		assert_in_range(passed, 107, 111);
		lab_fini(&lab);
	}
}

static uint64_t hash_of(const struct sl_limiter *l, uint64_t a, uint64_t b,
			uint32_t family)
{
	const __u64 src[2] = { a, b };
	__u64 hash;

	sl_limit_locate(l, src, family, &hash);
	return hash;
}

static void test_prefixes(void **state)
{
	struct sl_action_spec s = spec(1000, false, 0);
	struct sl_limiter l;
	uint64_t a;

	(void)state;
	s.per_source = true;
	s.source4_bits = 24;
	s.source6_bits = 64;
	assert_int_equal(sl_limiter_init(&l, "r", &s, CPUS, 99), 0);
	a = hash_of(&l, 0xc6120001ull << 32, 0, SL_FAMILY_IP4);
	assert_true(a == hash_of(&l, 0xc61200ffull << 32, 0, SL_FAMILY_IP4));
	assert_true(a != hash_of(&l, 0xc6120101ull << 32, 0, SL_FAMILY_IP4));
	assert_true(a != hash_of(&l, 0xc6120001ull << 32, 0, SL_FAMILY_IP6));
	a = hash_of(&l, 0x20010db800000001ull, 1, SL_FAMILY_IP6);
	assert_true(a == hash_of(&l, 0x20010db800000001ull, 2, SL_FAMILY_IP6));
	assert_true(a != hash_of(&l, 0x20010db800000002ull, 1, SL_FAMILY_IP6));

	s.source6_bits = 65;
	assert_int_equal(sl_limiter_init(&l, "r", &s, CPUS, 99), 0);
	a = hash_of(&l, 1, 1, SL_FAMILY_IP6);
	assert_true(a == hash_of(&l, 1, 2, SL_FAMILY_IP6));
	assert_true(a != hash_of(&l, 1, 1ull << 63, SL_FAMILY_IP6));

	/* The source of what is not IP: one for all. */
	a = hash_of(&l, 0, 0, SL_FAMILY_NONE);
	assert_true(a != hash_of(&l, 0, 0, SL_FAMILY_IP4));
}

/*
 * Sources that differ in one part of the address spread: with 8 on average in
 * each of 8,192 lines, chance puts no more than 40 in one (10^-14 each).
 */
static void test_spread(void **state)
{
	static uint8_t load[8192];
	struct sl_action_spec s = spec(1000, false, 0);

	(void)state;
	s.per_source = true;
	for (uint64_t i = 0; i < 5 * 20; i++) {
		struct sl_limiter l;
		uint64_t secret = i * 0x9e3779b97f4a7c15ull;

		assert_int_equal(sl_limiter_init(&l, "r", &s, CPUS, secret), 0);
		memset(load, 0, sizeof(load));
		for (uint64_t n = 0; n < 65536; n++) {
			const uint64_t at[5][2] = { { n << 32, 0 },
						    { n << 48, 0 },
						    { n, 0 },
						    { 0, n },
						    { 0, n << 48 } };
			const uint64_t *p = at[i % 5];
			uint64_t h = hash_of(&l, p[0], p[1],
					     i % 5 < 2 ? SL_FAMILY_IP4 :
							 SL_FAMILY_IP6);

			assert_in_range(++load[h >> 51], 1, 40);
		}
	}
}

struct racer {
	pthread_t id;
	struct lab *lab;
	struct sl_limit_cpu cpu;
	uint64_t passed;
};

static void *race(void *arg)
{
	struct racer *r = arg;
	struct sl_limiter *l = &r->lab->limiter;
	const __u64 src[2] = { 1, 0 };
	__u64 hash;
	uint32_t line = sl_limit_locate(l, src, SL_FAMILY_IP4, &hash);

	for (int i = 0; i < 500000; i++)
		r->passed += sl_limit_conforms(l, &r->cpu, &r->lab->lines[line],
					       hash, 64);
	return NULL;
}

/* Threads at once while the clock stands still: the burst is given out once. */
static void test_race(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct sl_action_spec s = spec(1000, false, 1600000);
		struct racer racers[4] = { 0 };
		uint64_t given = 0;
		struct lab lab;

		s.per_source = i;
		lab_init(&lab, &s);
		for (int k = 0; k < 4; k++) {
			racers[k].lab = &lab;
			assert_int_equal(pthread_create(&racers[k].id, NULL,
							race, &racers[k]),
					 0);
		}
		for (int k = 0; k < 4; k++) {
			pthread_join(racers[k].id, NULL);
			given += racers[k].passed + racers[k].cpu.credit;
		}
		/* 2,000,000 were offered. */
		assert_near(given, 1600000, 2);
		assert_int_equal(given, lab.limiter.reach /
						sl_limit_cost(&lab.limiter, 1));
		lab_fini(&lab);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_conforming),
		cmocka_unit_test(test_burst),
		cmocka_unit_test(test_oversize),
		cmocka_unit_test(test_clock_reads),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_sources),
		cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_spread),
		cmocka_unit_test(test_race),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("limit", tests, NULL, NULL);
}
