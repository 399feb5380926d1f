// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "trace_compare.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "trace_json.h"

/* The figure in each traced interval of a run; how many. */
static size_t values_of(json_t *run, const char *name, double *values)
{
	json_t *interval, *value;
	size_t i, n = 0;

	json_array_foreach(json_object_get(run, "intervals"), i, interval)
	{
		if (!json_is_true(json_object_get(interval, "traced")))
			continue;
		value = json_object_get(json_object_get(interval, "metrics"),
					name);
		if (json_is_number(value))
			values[n++] = json_number_value(value);
	}
	return n;
}

static size_t count_intervals(json_t *runs)
{
	json_t *run;
	size_t i, n = 0;

	json_array_foreach(runs, i, run)
	{
		n += json_array_size(json_object_get(run, "intervals"));
	}
	return n;
}

/* `values` has room for all intervals. */
static struct sl_trace_spread spread_of(json_t *runs, const char *name,
					double *values)
{
	double least = INFINITY, most = -INFINITY;
	struct sl_trace_spread spread;
	json_t *run;
	size_t i, n = 0;

	json_array_foreach(runs, i, run)
	{
		spread = sl_trace_spread_of(values,
					    values_of(run, name, values));
		if (!spread.n)
			continue;
		least = fmin(least, spread.median);
		most = fmax(most, spread.median);
	}
	json_array_foreach(runs, i, run)
	{
		n += values_of(run, name, values + n);
	}
	spread = sl_trace_spread_of(values, n);
	if (spread.n) {
		spread.low = fmin(spread.low, least);
		spread.high = fmax(spread.high, most);
	}
	return spread;
}

/* When the first and the last run of a side began. */
static void times_of(json_t *runs, json_int_t *first, json_int_t *last)
{
	json_t *run;
	size_t i;

	json_array_foreach(runs, i, run)
	{
		json_int_t time =
			json_integer_value(json_object_get(run, "time"));

		*first = i == 0 || time < *first ? time : *first;
		*last = i == 0 || time > *last ? time : *last;
	}
}

static bool interleaved(json_t *a, json_t *b)
{
	json_int_t a_first = 0, a_last = 0, b_first = 0, b_last = 0;

	if (json_array_size(a) < 2 || json_array_size(b) < 2)
		return false;
	times_of(a, &a_first, &a_last);
	times_of(b, &b_first, &b_last);
	return a_first < b_last && b_first < a_last;
}

/* Two absent ones are the same, which jansson does not say. */
static bool same(json_t *run, const char *key, json_t *want)
{
	json_t *value = json_object_get(run, key);

	return value == want || json_equal(value, want);
}

/* Has every run of both the same value there? */
static bool alike(json_t *a, json_t *b, const char *key)
{
	json_t *want = json_object_get(json_array_get(a, 0), key), *run;
	size_t i;

	json_array_foreach(a, i, run)
	{
		if (!same(run, key, want))
			return false;
	}
	json_array_foreach(b, i, run)
	{
		if (!same(run, key, want))
			return false;
	}
	return true;
}

static const char *unlike(json_t *a, json_t *b)
{
	static const char *const keys[][2] = {
		{ "source", "some runs were seen by BPF, some by /proc alone" },
		{ "deep", "some runs were with --deep, which has a cost" },
		{ "packets_from",
		  "the packets were counted in different ways" },
		{ "kernel", "the kernels differ" },
		{ "interfaces", "the interfaces differ" },
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (!alike(a, b, keys[i][0]))
			return keys[i][1];
	return NULL;
}

int sl_trace_compare(json_t *a, json_t *b, struct sl_trace_comparison *c)
{
	size_t room = count_intervals(a) + count_intervals(b) + 1;
	double *values = calloc(room, sizeof(*values));

	if (!values)
		return -ENOMEM;
	*c = (struct sl_trace_comparison){
		.a_runs = json_array_size(a),
		.b_runs = json_array_size(b),
		.interleaved = interleaved(a, b),
		.unlike = unlike(a, b),
	};
	for (int m = 0; m < SL_METRIC_COUNT; m++) {
		struct sl_trace_compared *metric = &c->metrics[m];
		const char *name = sl_trace_metric_name(m);

		metric->a = spread_of(a, name, values);
		metric->b = spread_of(b, name, values);
		metric->verdict = sl_trace_judge(&metric->a, &metric->b);
	}
	free(values);
	return 0;
}

const char *sl_trace_change_text(const struct sl_trace_compared *c,
				 char text[SL_TRACE_CHANGE_BYTES])
{
	const char *words = NULL;

	if (!c->a.n || !c->b.n)
		words = "seen on one side only";
	else if (c->verdict == SL_TRACE_UNKNOWN)
		words = "too few intervals";
	else if (c->verdict == SL_TRACE_NOISE)
		words = "within noise";
	else if (c->a.median <= 0)
		words = "changed from none";
	if (words)
		snprintf(text, SL_TRACE_CHANGE_BYTES, "%s", words);
	else if (c->b.median >= 2 * c->a.median)
		snprintf(text, SL_TRACE_CHANGE_BYTES, "%.1f times",
			 c->b.median / c->a.median);
	else
		snprintf(text, SL_TRACE_CHANGE_BYTES, "%+.1f %%",
			 100 * (c->b.median / c->a.median - 1));
	return text;
}

json_t *sl_trace_comparison_json(const struct sl_trace_comparison *c)
{
	json_t *metrics = json_object();

	for (int m = 0; m < SL_METRIC_COUNT; m++)
		json_object_set_new(
			metrics, sl_trace_metric_name(m),
			json_pack("{s:s, s:s, s:o, s:o, s:s}", "unit",
				  sl_trace_metric_unit(m), "what",
				  sl_trace_metric_help(m), "a",
				  sl_trace_spread_json(&c->metrics[m].a), "b",
				  sl_trace_spread_json(&c->metrics[m].b),
				  "verdict",
				  sl_trace_verdict_text(c->metrics[m].verdict)));
	return json_pack("{s:I, s:I, s:b, s:o, s:o}", "a_runs",
			 (json_int_t)c->a_runs, "b_runs", (json_int_t)c->b_runs,
			 "interleaved", c->interleaved, "unlike",
			 c->unlike ? json_string(c->unlike) : json_null(),
			 "metrics", metrics);
}
