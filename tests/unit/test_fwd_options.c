// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The command line of sluice-fwd. Its messages go to standard error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "afxdp-app/options.h"

#define PARSE(options, ...) \
	parse(options, (char *[]){ "sluice-fwd", __VA_ARGS__, NULL })

static int parse(struct sl_fwd_options *options, char **argv)
{
	int argc = 0;

	while (argv[argc])
		argc++;
	return sl_fwd_options_parse(argc, argv, options);
}

static void takes_all(void **state)
{
	struct sl_fwd_options options = { 0 };

	(void)state;
	assert_int_equal(PARSE(&options, "-c", "x.conf", "--json", "--stats",
			       "2", "--duration", "30"),
			 0);
	assert_string_equal(options.config, "x.conf");
	assert_true(options.json);
	assert_int_equal(options.stats_s, 2);
	assert_int_equal(options.duration_s, 30);
}

static void takes_over(void **state)
{
	struct sl_fwd_options options = { 0 };

	(void)state;
	assert_int_equal(PARSE(&options, "-c", "x.conf"), 0);
	assert_false(options.takeover);
	assert_int_equal(PARSE(&options, "-c", "x.conf", "--takeover"), 0);
	assert_true(options.takeover);
	assert_int_equal(PARSE(&options, "-tjc", "x.conf"), 0);
	assert_true(options.takeover && options.json);
	assert_string_equal(options.config, "x.conf");
	/* Go on with what, if not with a configuration? */
	assert_int_equal(PARSE(&options, "--takeover"), -EINVAL);
	assert_int_equal(PARSE(&options, "-c", "x.conf", "--takeover=now"),
			 -EINVAL);
}

/* It asks, and needs no file; what is not on the list is not sent to anyone. */
static void asks(void **state)
{
	static const char *const requests[] = { "stats", "reload", "stop" };
	static const char *const none[] = { "", "Stats", "stats ", "handover",
					    "reload=1" };
	struct sl_fwd_options options = { .ctl = "before" };

	(void)state;
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		assert_int_equal(PARSE(&options, "--ctl", (char *)requests[i]),
				 0);
		assert_string_equal(options.ctl, requests[i]);
		assert_null(options.config);
	}
	options.ctl = "before";
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_int_equal(PARSE(&options, "--ctl", (char *)none[i]),
				 -EINVAL);
	assert_int_equal(PARSE(&options, "--ctl"), -EINVAL);
	assert_int_equal(PARSE(&options, "--ctl", "stats", "stop"), -EINVAL);
	assert_string_equal(options.ctl, "before");
}

static void help_needs_no_file(void **state)
{
	struct sl_fwd_options options = { 0 };

	(void)state;
	assert_int_equal(PARSE(&options, "--help"), 0);
	assert_true(options.help);
}

static void refuses(void **state)
{
	struct sl_fwd_options options = { .stats_s = 77 };

	(void)state;
	assert_int_equal(PARSE(&options, "--json"), -EINVAL);
	assert_int_equal(PARSE(&options, "-c", "x", "extra"), -EINVAL);
	assert_int_equal(PARSE(&options, "-c", "x", "--stats", "0"), -EINVAL);
	assert_int_equal(PARSE(&options, "-c", "x", "--stats", "-1"), -EINVAL);
	assert_int_equal(PARSE(&options, "-c", "x", "--stats", "1s"), -EINVAL);
	assert_int_equal(PARSE(&options, "-c", "x", "--duration",
			       "99999999999999999999"),
			 -EINVAL);
	assert_int_equal(PARSE(&options, "-c", "x", "--nonsense"), -EINVAL);
	assert_int_equal(PARSE(&options, "-c"), -EINVAL);
	assert_int_equal(options.stats_s, 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_all),
		cmocka_unit_test(takes_over),
		cmocka_unit_test(asks),
		cmocka_unit_test(help_needs_no_file),
		cmocka_unit_test(refuses),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
