/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Files of `sluice trace`, and the comparison of two. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "lib/error.h"
#include "lib/trace_compare.h"
#include "lib/trace_json.h"

static void near(double got, double want)
{
	assert_true(fabs(got - want) <= 1e-9 * fmax(1, fabs(want)));
}

static json_t *make_run(int time, const char *source, double a, double b,
			double c)
{
	json_t *run = json_pack("{s:i, s:s, s:s, s:{}, s:[]}", "time", time,
				"source", source, "packets_from", "filter",
				"metrics", "intervals");
	double values[] = { a, b, c };

	for (int i = 0; i < 3; i++)
		json_array_append_new(json_object_get(run, "intervals"),
				      json_pack("{s:b, s:{s:f, s:n}}", "traced",
						1, "metrics", "polls",
						values[i], "packets"));
	/* One without the programs is no part of it. */
	json_array_append_new(json_object_get(run, "intervals"),
			      json_pack("{s:b, s:{s:f}}", "traced", 0,
					"metrics", "polls", 1e6));
	return run;
}

static void compares(void **state)
{
	json_t *a = json_array(), *b = json_array();
	struct sl_trace_comparison c;

	(void)state;
	json_array_append_new(a, make_run(10, "bpf", 0.9, 1.0, 1.1));
	json_array_append_new(b, make_run(20, "bpf", 0.04, 0.05, 0.06));
	assert_int_equal(sl_trace_compare(a, b, &c), 0);
	near(c.metrics[SL_METRIC_POLLS].a.median, 1);
	near(c.metrics[SL_METRIC_POLLS].b.median, 0.05);
	assert_int_equal(c.metrics[SL_METRIC_POLLS].verdict, SL_TRACE_CHANGED);
	assert_int_equal(c.metrics[SL_METRIC_PACKETS].verdict,
			 SL_TRACE_UNKNOWN);
	assert_false(c.interleaved);
	assert_null(c.unlike);
	/* A second run after both does not take turns on B's side. */
	json_array_append_new(a, make_run(30, "bpf", 0.9, 1.0, 1.1));
	assert_int_equal(sl_trace_compare(a, b, &c), 0);
	assert_false(c.interleaved);
	/* B once more, far off: what repeats differ by is noise. */
	json_array_append_new(b, make_run(40, "proc", 1.2, 1.3, 1.4));
	assert_int_equal(sl_trace_compare(a, b, &c), 0);
	assert_true(c.interleaved);
	assert_int_equal(c.metrics[SL_METRIC_POLLS].verdict, SL_TRACE_NOISE);
	near(c.metrics[SL_METRIC_POLLS].b.low, 0.05);
	near(c.metrics[SL_METRIC_POLLS].b.high, 1.3);
	assert_non_null(strstr(c.unlike, "/proc"));
	json_decref(a);
	json_decref(b);
}

static void files(void **state)
{
	static const char *const wrong[] = {
		"",
		"{",
		"[]",
		"{\"sluice_trace\":1,\"runs\":[]}",
		"{\"sluice_trace\":2,\"runs\":[{}]}",
		"{\"sluice_trace\":1,\"runs\":[{}]}",
		"{\"sluice_trace\":1,\"runs\":[{\"time\":1,\"source\":\"bpf\","
		"\"packets_from\":\"filter\",\"metrics\":{},"
		"\"intervals\":[7]}]}"
	};
	char path[] = "/tmp/sluice-trace-XXXXXX";
	int fd = mkstemp(path);
	struct sl_error error = { "" };
	json_t *run = make_run(1, "bpf", 1, 2, 3), *runs = NULL;

	(void)state;
	assert_true(fd >= 0);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(pwrite(fd, wrong[i], strlen(wrong[i]), 0),
				 strlen(wrong[i]));
		assert_int_equal(sl_trace_load(path, &runs, &error), -EINVAL);
		assert_non_null(strstr(error.text, path));
		/* Somebody else's file is not written over. */
		assert_int_equal(sl_trace_save(path, run, &error), -EINVAL);
		assert_null(runs);
	}
	close(fd);
	unlink(path);
	assert_int_equal(sl_trace_load(path, &runs, &error), -ENOENT);
	assert_int_equal(sl_trace_save(path, run, &error), 0);
	assert_int_equal(sl_trace_save(path, run, &error), 0);
	assert_int_equal(sl_trace_load(path, &runs, &error), 0);
	assert_int_equal(json_array_size(runs), 2);
	assert_true(json_equal(json_array_get(runs, 1), run));
	assert_int_equal(sl_trace_save("/nowhere/at/all", run, &error),
			 -ENOENT);
	json_decref(runs);
	json_decref(run);
	unlink(path);
}

static void words(void **state)
{
	struct sl_trace_compared c = { .a = { 2, 2, 2, 9 },
				       .b = { 1, 1, 1, 9 },
				       .verdict = SL_TRACE_CHANGED };
	char text[SL_TRACE_CHANGE_BYTES];

	(void)state;
	assert_string_equal(sl_trace_change_text(&c, text), "-50.0 %");
	c.b.median = 3;
	assert_string_equal(sl_trace_change_text(&c, text), "+50.0 %");
	c.b.median = 44;
	assert_string_equal(sl_trace_change_text(&c, text), "22.0 times");
	c.a.median = 0;
	assert_string_equal(sl_trace_change_text(&c, text),
			    "changed from none");
	c.verdict = SL_TRACE_NOISE;
	assert_string_equal(sl_trace_change_text(&c, text), "within noise");
	c.a.n = 0;
	assert_string_equal(sl_trace_change_text(&c, text),
			    "seen on one side only");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compares),
		cmocka_unit_test(files),
		cmocka_unit_test(words),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("trace files", tests, NULL, NULL);
}
