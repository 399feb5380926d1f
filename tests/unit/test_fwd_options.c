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
		cmocka_unit_test(help_needs_no_file),
		cmocka_unit_test(refuses),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
