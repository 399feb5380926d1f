// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The generator's numbers, ranges, draws and command line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The generator is no library: its pure parts are built into the test. */
#include "bench/gen/draw.h"
#include "bench/gen/options.c"
#include "bench/gen/range.c"

static void test_numbers(void **state)
{
	uint64_t n = 77;

	(void)state;
	assert_int_equal(sl_gen_range_parse_number("0", 0, 5, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(sl_gen_range_parse_number("18446744073709551615", 0,
						   UINT64_MAX, &n),
			 0);
	assert_true(n == UINT64_MAX);
	n = 77;
	assert_int_equal(sl_gen_range_parse_number("18446744073709551616", 0,
						   UINT64_MAX, &n),
			 -EINVAL);
	assert_int_equal(sl_gen_range_parse_number("", 0, 5, &n), -EINVAL);
	assert_int_equal(sl_gen_range_parse_number(" 1", 0, 5, &n), -EINVAL);
	assert_int_equal(sl_gen_range_parse_number("+1", 0, 5, &n), -EINVAL);
	assert_int_equal(sl_gen_range_parse_number("-1", 0, UINT64_MAX, &n),
			 -EINVAL);
	assert_int_equal(sl_gen_range_parse_number("0x1", 0, 5, &n), -EINVAL);
	assert_int_equal(sl_gen_range_parse_number("6", 0, 5, &n), -EINVAL);
	assert_int_equal(n, 77);
}

static void test_scaled(void **state)
{
	static const struct {
		const char *text;
		uint64_t number;
	} good[] = { { "1", 1 },
		     { "20k", 20000 },
		     { "1.5M", 1500000 },
		     { "0.25k", 250 },
		     { "1.000001M", 1000001 },
		     { "2G", 2000000000ull },
		     { "3.0", 3 },
		     { "1.50", 0 },
		     { "0.0001k", 0 },
		     { "1.", 0 },
		     { ".5k", 0 },
		     { "1K", 0 },
		     { "1kk", 0 },
		     { "k", 0 },
		     { "", 0 },
		     { "20000000000G", 0 },
		     { "1e3", 0 },
		     { "1m", 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		uint64_t n = 0;
		int err = sl_gen_range_parse_scaled(good[i].text, 1, UINT64_MAX,
						    &n);

		if (err != (good[i].number ? 0 : -EINVAL) ||
		    n != good[i].number)
			fail_msg("%s: %d, %llu", good[i].text, err,
				 (unsigned long long)n);
	}
}

static void expect_range(const char *text, int family, uint64_t low,
			 uint64_t last)
{
	struct address_range range;
	const char *error = NULL;

	if (sl_gen_range_parse_address(text, &range, &error))
		fail_msg("%s: expected %s", text, error);
	assert_int_equal(range.family, family);
	assert_true(sl_gen_range_low(&range) == low);
	assert_true(range.last == last);
}

static void test_addresses(void **state)
{
	static const char *const bad[] = {
		"",
		"10.0.0",
		"10.0.0.256",
		"10.0.0.1/33",
		"10.0.0.1/",
		"10.0.0.1/8x",
		"10.0.0.1-",
		"10.0.0.2-10.0.0.1",
		"10.0.0.1-::1",
		"::1-10.0.0.1",
		"::/63",
		"2001:2::/129",
		"::1-1::1",
		"::2-::1",
		"10.0.0.1/8/8",
		"/8",
		"-",
		"host.example",
		"1111111111111111111111111111111111111111111111111111111111111111111111",
	};
	struct address_range range, before;
	const char *error;

	(void)state;
	expect_range("10.0.0.1", 4, 0x0a000001, 0);
	expect_range("10.0.0.77/8", 4, 0x0a000000, 0xffffff);
	expect_range("0.0.0.0/0", 4, 0, 0xffffffff);
	expect_range("10.0.0.77/32", 4, 0x0a00004d, 0);
	expect_range("10.0.0.254-10.0.1.1", 4, 0x0a0000fe, 3);
	expect_range("2001:2::5", 6, 5, 0);
	expect_range("2001:2::5/64", 6, 0, UINT64_MAX);
	expect_range("2001:2::ff/124", 6, 0xf0, 15);
	expect_range("2001:2::5/128", 6, 5, 0);
	expect_range("2001:2::-2001:2::ffff:ffff:ffff:ffff", 6, 0, UINT64_MAX);
	memset(&range, 0x5a, sizeof(range));
	before = range;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		error = NULL;
		if (!sl_gen_range_parse_address(bad[i], &range, &error))
			fail_msg("taken: %s", bad[i]);
		assert_non_null(error);
		assert_memory_equal(&range, &before, sizeof(range));
	}
}

static void test_lists(void **state)
{
	unsigned int cpus[4];
	struct port_range ports;
	const char *error;
	uint8_t flags, mac[6];
	size_t count;

	(void)state;
	assert_int_equal(sl_gen_range_parse_port("0-65535", &ports, &error), 0);
	assert_int_equal(ports.last, 65535);
	assert_int_equal(sl_gen_range_parse_port("53", &ports, &error), 0);
	assert_int_equal(ports.first, 53);
	assert_int_equal(ports.last, 0);
	assert_int_equal(sl_gen_range_parse_port("53-", &ports, &error),
			 -EINVAL);
	assert_int_equal(sl_gen_range_parse_port("65536", &ports, &error),
			 -EINVAL);
	assert_int_equal(sl_gen_range_parse_port("9-8", &ports, &error),
			 -EINVAL);
	assert_int_equal(
		sl_gen_range_parse_cpus("3,0-1", cpus, 4, &count, &error), 0);
	assert_int_equal(count, 3);
	assert_int_equal(cpus[0], 3);
	assert_int_equal(cpus[2], 1);
	assert_int_equal(sl_gen_range_parse_cpus("0-4", cpus, 4, &count,
						 &error),
			 -EINVAL);
	assert_int_equal(sl_gen_range_parse_cpus("1,1", cpus, 4, &count,
						 &error),
			 -EINVAL);
	assert_int_equal(sl_gen_range_parse_cpus("1,", cpus, 4, &count, &error),
			 -EINVAL);
	assert_int_equal(sl_gen_range_parse_flags("syn,ack", &flags, &error),
			 0);
	assert_int_equal(flags, 0x12);
	assert_int_equal(sl_gen_range_parse_flags("255", &flags, &error), 0);
	assert_int_equal(flags, 255);
	assert_int_equal(sl_gen_range_parse_flags("syn,", &flags, &error),
			 -EINVAL);
	assert_int_equal(sl_gen_range_parse_flags("256", &flags, &error),
			 -EINVAL);
	assert_int_equal(
		sl_gen_range_parse_mac("02:aB:00:00:00:01", mac, &error), 0);
	assert_int_equal(mac[1], 0xab);
	assert_int_equal(sl_gen_range_parse_mac("02:ab:00:00:00:0g", mac,
						&error),
			 -EINVAL);
	assert_int_equal(sl_gen_range_parse_mac("02-ab-00-00-00-01", mac,
						&error),
			 -EINVAL);
}

/* Every value once before any comes again, whatever the step. */
static void test_advance(void **state)
{
	(void)state;
	for (uint64_t last = 1; last < 20; last++) {
		for (uint64_t step = 1; step < 25; step++) {
			uint64_t pos = gen_wrap(step, last), want = pos;

			for (int i = 0; i < 100; i++) {
				assert_true(pos == want);
				want = (want + step) % (last + 1);
				pos = gen_advance(pos, last,
						  gen_wrap(step, last));
			}
		}
	}
	assert_true(gen_advance(UINT64_MAX, UINT64_MAX, 3) == 2);
	assert_true(gen_advance(UINT64_MAX - 1, UINT64_MAX - 1, 1) == 0);
}

static void test_draw(void **state)
{
	static const uint64_t lasts[] = { 1,	      2,
					  99,	      65535,
					  0xfffffffe, 0xffffffff,
					  1ull << 32, UINT64_MAX - 1,
					  UINT64_MAX };
	__u64 seed = 1;

	(void)state;
	for (size_t i = 0; i < sizeof(lasts) / sizeof(lasts[0]); i++) {
		uint64_t low = UINT64_MAX, high = 0;

		for (int n = 0; n < 10000; n++) {
			uint64_t value = gen_draw(&seed, lasts[i]);

			assert_true(value <= lasts[i]);
			low = value < low ? value : low;
			high = value > high ? value : high;
		}
		/* Each end is missed by 1 % with a chance of e^-100. */
		assert_true(low <= lasts[i] / 100);
		assert_true(high >= lasts[i] - lasts[i] / 100);
	}
}

static int parse(struct options *options, const char *line, char *message,
		 size_t room)
{
	static char words[512];
	char *argv[32] = { "sluice-gen" };
	FILE *err = fmemopen(message, room, "w");
	int argc = 1, result;

	assert_non_null(err);
	snprintf(words, sizeof(words), "%s", line);
	for (char *word = strtok(words, " "); word && argc < 31;
	     word = strtok(NULL, " "))
		argv[argc++] = word;
	result = sl_gen_options_parse(argc, argv, options, err);
	fclose(err);
	return result;
}

static void test_options(void **state)
{
	struct options o;
	char message[512] = "";

	(void)state;
	assert_int_equal(parse(&o, "eth7", message, sizeof(message)), 0);
	assert_string_equal(o.interface, "eth7");
	assert_true(o.duration_ns == 10000000000ull);
	assert_int_equal(o.threads, 1);
	assert_int_equal(o.batch, 64);
	assert_int_equal(o.dst.family, 4);
	assert_int_equal(parse(&o, "--dst ::9 e --proto tcp --flags rst",
			       message, sizeof(message)),
			 0);
	assert_int_equal(o.src.family, 6);
	assert_int_equal(o.flags, 4);
	assert_int_equal(parse(&o, "e --count 1M --rate 20k", message,
			       sizeof(message)),
			 0);
	assert_true(o.duration_ns == 60000000000ull);
	assert_int_equal(parse(&o, "e --count 2 --threads 4 --duration 0.25",
			       message, sizeof(message)),
			 0);
	assert_int_equal(o.threads, 2);
	assert_true(o.duration_ns == 250000000ull);
	assert_int_equal(parse(&o, "e --stats 0.1", message, sizeof(message)),
			 0);
	assert_true(o.stats_ns == 100000000ull);
	assert_int_equal(parse(&o, "e --cpus 4,2", message, sizeof(message)),
			 0);
	assert_int_equal(o.threads, 2);
	assert_int_equal(parse(&o, "--help", message, sizeof(message)), 0);
	assert_true(o.help);
}

static void test_options_refused(void **state)
{
	static const char *const lines[] = {
		"",
		"a b",
		"a --what",
		"a --rate",
		"a --duration 0",
		"a --duration 1k",
		"a --duration 2592001",
		"a --duration 0.0001",
		"a --stats 0.099",
		"a --size 59",
		"a --threads 65",
		"a --threads 2 --cpus 0",
		"a --flags syn",
		"a --pcap f --vlan 1",
		"a --seed 0",
		"a --count 0",
		"a --src 10.0.0.1 --dst ::1",
		"a --proto sctp",
		"a --batch 0",
	};
	struct options o;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		char message[512] = "";

		if (!parse(&o, lines[i], message, sizeof(message)))
			fail_msg("taken: %s", lines[i]);
		if (strncmp(message, "sluice-gen: ", 12))
			fail_msg("%s: no message", lines[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_scaled),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_advance),
		cmocka_unit_test(test_draw),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_options_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("gen_range", tests, NULL, NULL);
}
