/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * One observation of the kernel's packet path: a number of intervals of equal length,
 * their figures, and the sum of all. It changes no setting. One thread.
 */
#ifndef SLUICE_LIB_TRACE_H
#define SLUICE_LIB_TRACE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "trace_metric.h"
#include "trace_sample.h"

struct sl_trace_interval {
	bool traced; /* false: for comparison, with the programs off */
	uint64_t time_ns;
	double metrics[SL_METRIC_COUNT];
};

struct sl_trace {
	struct sl_pressure *pressure;
	struct sl_tracer *tracer; /* NULL: BPF was refused, because of `why` */
	struct sl_error why;
	struct sl_trace_scope scope;
	char packets_from[64]; /* what counts the packets, in words */
	bool from_filter;      /* XDP's counters, else the interfaces' */
	bool everything;       /* all interfaces here are in question */
	bool deep;
	uint64_t budget_ns;
	uint64_t began_s;	    /* time(), at the first interval */
	struct sl_tracer_cost cost; /* in cost_ns, with `deep` */
	uint64_t cost_ns;
	struct sl_trace_sample sum; /* of the traced intervals */
	struct sl_trace_interval *intervals;
	size_t n_intervals;
};

/*
 * `interface`: the one in question. NULL: those of this network namespace that have
 * a filter, or else all of it but the loopback. Where BPF is refused /proc has to do, and
 * that is no error. 0 and the caller frees with sl_trace_close(), or -errno with a
 * message (-ENODEV: no such interface).
 */
int sl_trace_open(const char *interface, bool deep, struct sl_trace **trace,
		  struct sl_error *error);
void sl_trace_close(struct sl_trace *trace); /* NULL is fine */

/*
 * Observes n intervals, or until *stop is set and a signal ends the wait: an interval
 * that was begun counts up to then. With `deep` every other interval is one with the
 * programs off, and after them one with each program timed, which is no part of the
 * figures: so what they cost is told. Once. 0, or -errno with a message.
 */
int sl_trace_run(struct sl_trace *trace, size_t n, uint64_t interval_ns,
		 const volatile sig_atomic_t *stop, struct sl_error *error);

/* How a figure lies in the intervals that were traced, or in those that were not. */
struct sl_trace_spread sl_trace_spread(const struct sl_trace *trace,
				       enum sl_trace_metric metric,
				       bool traced);

#endif /* SLUICE_LIB_TRACE_H */
