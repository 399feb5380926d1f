/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The figures of `sluice trace`: each a number for some time, so that times can be
 * compared. A figure that was not seen, or that is of packets where there were none,
 * is NAN. Pure functions; any thread.
 */
#ifndef SLUICE_TRACE_METRIC_H
#define SLUICE_TRACE_METRIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sl_trace_sample;
struct sl_tracer_napi;

/*
 * X(id, name, unit, what it is). Names are keys in JSON. "device interrupts" are
 * those with a registered handler; "polls" those of the interfaces in question.
 */
#define SL_TRACE_METRICS(X)                                                    \
	X(PACKETS, "packets", "/s", "packets received")                        \
	X(IRQS, "device_irqs", "/packet",                                      \
	  "interrupts with a handler, of all devices")                         \
	X(OWN_IRQS, "own_irqs", "/packet", "interrupts of these interfaces")   \
	X(NET_RX, "net_rx", "/packet", "runs of the NET_RX softirq")           \
	X(POLLS, "polls", "/packet", "NAPI polls")                             \
	X(POLLS_SOFTIRQ, "polls_softirq", "/packet", "polls in softirq")       \
	X(POLLS_KSOFTIRQD, "polls_ksoftirqd", "/packet", "polls in ksoftirqd") \
	X(POLLS_THREAD, "polls_thread", "/packet", "polls by a NAPI thread")   \
	X(POLLS_USER, "polls_user", "/packet",                                 \
	  "polls by a task that polls busily")                                 \
	X(WORK, "packets_per_poll", "packets", "what a poll finds")            \
	X(FULL, "full_polls", "share", "polls that used their whole budget")   \
	X(SQUEEZED, "squeezed", "/s", "NET_RX runs that left packets behind")  \
	X(IRQ_NS, "hard_irq_ns", "ns", "time in an interrupt's handler")       \
	X(WAIT_NS, "net_rx_wait_ns", "ns", "from NET_RX's raise to its begin") \
	X(RX_NS, "net_rx_ns", "ns", "time of a NET_RX run")                    \
	X(POLL_NS, "poll_ns", "ns", "time of a poll in softirq or ksoftirqd")  \
	X(KSOFTIRQD, "ksoftirqd", "CPUs",                                      \
	  "ksoftirqd on the CPU, all together")                                \
	X(THREADS, "napi_threads", "CPUs",                                     \
	  "NAPI threads on the CPU, all together")                             \
	X(PRESSURE, "pressure", "share", "on the CPU where it is greatest")    \
	X(SWITCHES, "context_switches", "/s", "of all CPUs")                   \
	X(SYSCALL, "system_calls", "/packet", "of all tasks")                  \
	X(KMALLOC, "kmalloc", "/packet", "calls of kmalloc")                   \
	X(CACHE, "kmem_cache_alloc", "/packet", "objects from slab caches")    \
	X(TASKLET, "tasklets", "/packet", "tasklets executed")                 \
	X(WORK_ITEM, "work_items", "/packet", "work items executed")

enum sl_trace_metric {
#define X(id, name, unit, help) SL_METRIC_##id,
	SL_TRACE_METRICS(X)
#undef X
		SL_METRIC_COUNT
};

const char *sl_trace_metric_name(enum sl_trace_metric metric);
const char *sl_trace_metric_unit(enum sl_trace_metric metric);
const char *sl_trace_metric_help(enum sl_trace_metric metric);

/* An interface in question. */
struct sl_trace_interface {
	char name[16];
	uint32_t ifindex;
	int *irqs; /* its interrupts' numbers */
	size_t n_irqs;
	int totals_fd; /* of its filter; -1: it has none */
};

/* Which ones, of one network namespace. */
struct sl_trace_scope {
	struct sl_trace_interface *items;
	size_t n_items;
	uint32_t netns;
};

bool sl_trace_scope_has(const struct sl_trace_scope *scope,
			const struct sl_tracer_napi *napi);

/* All figures of a sum of differences. */
void sl_trace_metrics(const struct sl_trace_sample *sum,
		      const struct sl_trace_scope *scope, uint64_t budget_ns,
		      double values[SL_METRIC_COUNT]);

/* How the values of one figure lie; NANs are left out. */
struct sl_trace_spread {
	double median;	  /* NAN: there were none */
	double low, high; /* the quartiles */
	size_t n;
};

/* Sorts `values`. */
struct sl_trace_spread sl_trace_spread_of(double *values, size_t n);

/* What a difference of two medians says. */
enum sl_trace_verdict {
	SL_TRACE_UNKNOWN, /* fewer than three values on one side */
	SL_TRACE_NOISE, /* no more than the wider of the two spreads, or under 1 % */
	SL_TRACE_CHANGED,
};

enum sl_trace_verdict sl_trace_judge(const struct sl_trace_spread *a,
				     const struct sl_trace_spread *b);

/* "unknown", "noise" or "changed", as in JSON. */
const char *sl_trace_verdict_text(enum sl_trace_verdict verdict);

#endif /* SLUICE_TRACE_METRIC_H */
