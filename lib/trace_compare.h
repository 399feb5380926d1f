/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Two files of observations against each other, figure by figure. What tells a change
 * from noise is the spread: of the intervals of all runs on a side, and of the runs'
 * medians, so that what drifts from one repeat to the next is noise, too. Pure; any
 * thread.
 */
#ifndef SLUICE_TRACE_COMPARE_H
#define SLUICE_TRACE_COMPARE_H

#include <stdbool.h>
#include <stddef.h>

#include "trace_metric.h"

struct json_t;

struct sl_trace_compared {
	struct sl_trace_spread a, b;
	enum sl_trace_verdict verdict;
};

struct sl_trace_comparison {
	size_t a_runs, b_runs;
	bool interleaved;   /* runs of one side lie between runs of the other */
	const char *unlike; /* what besides the figures differs; NULL: nothing */
	struct sl_trace_compared metrics[SL_METRIC_COUNT];
};

/* `a` and `b` are arrays of runs, of sl_trace_load(). 0 or -ENOMEM. */
int sl_trace_compare(struct json_t *a, struct json_t *b,
		     struct sl_trace_comparison *comparison);

#define SL_TRACE_CHANGE_BYTES 40

/* The verdict in words: "within noise", "-95.7 %", "22.8 times". Returns `text`. */
const char *sl_trace_change_text(const struct sl_trace_compared *compared,
				 char text[SL_TRACE_CHANGE_BYTES]);

/* The caller's reference; NULL: no memory. */
struct json_t *
sl_trace_comparison_json(const struct sl_trace_comparison *comparison);

#endif /* SLUICE_TRACE_COMPARE_H */
