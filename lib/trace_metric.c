// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "trace_metric.h"

#include <math.h>
#include <stdlib.h>

#include "trace_sample.h"

#define SMALL 0.01 /* a change of less is of no use to anybody */
#define LEAST 3	   /* values without which there are no quartiles */

static const struct {
	const char *name, *unit, *help;
} table[SL_METRIC_COUNT] = {
#define X(id, name, unit, help) { name, unit, help },
	SL_TRACE_METRICS(X)
#undef X
};

const char *sl_trace_metric_name(enum sl_trace_metric metric)
{
	return table[metric].name;
}

const char *sl_trace_metric_unit(enum sl_trace_metric metric)
{
	return table[metric].unit;
}

const char *sl_trace_metric_help(enum sl_trace_metric metric)
{
	return table[metric].help;
}

bool sl_trace_scope_has(const struct sl_trace_scope *scope,
			const struct sl_tracer_napi *napi)
{
	for (size_t i = 0; i < scope->n_items; i++)
		if (scope->items[i].ifindex == napi->key.ifindex &&
		    scope->netns == napi->key.netns)
			return true;
	return false;
}

static double ratio(uint64_t part, uint64_t whole)
{
	return whole ? (double)part / (double)whole : NAN;
}

static double per_second(const struct sl_trace_sample *sum, uint64_t count)
{
	return sum->time_ns ? (double)count / ((double)sum->time_ns / 1e9) :
			      NAN;
}

static uint64_t own_irqs(const struct sl_trace_sample *sum,
			 const struct sl_trace_scope *scope, bool *any)
{
	uint64_t count = 0;

	for (size_t i = 0; i < scope->n_items; i++)
		for (size_t j = 0; j < scope->items[i].n_irqs; j++)
			for (size_t k = 0; k < sum->proc.n_irqs; k++) {
				const struct sl_proc_irq *irq =
					&sum->proc.irqs[k];

				if (!irq->device ||
				    strtol(irq->name, NULL, 10) !=
					    scope->items[i].irqs[j])
					continue;
				count += irq->count;
				*any = true;
			}
	return count;
}

/* What /proc tells. */
static void of_proc(const struct sl_trace_sample *sum,
		    const struct sl_trace_scope *scope, uint64_t budget_ns,
		    double *v)
{
	uint64_t device = 0, rounds = 0, squeezed = 0, run = 0, own;
	bool any = false, seen = false;

	v[SL_METRIC_PRESSURE] = 0;
	for (uint32_t cpu = 0; cpu < sum->n_cpus; cpu++) {
		double pressure =
			sl_trace_sample_pressure(sum, cpu, budget_ns).pressure;

		device += sum->proc.cpus[cpu].device_irqs;
		rounds += sum->proc.cpus[cpu].softirqs[SL_SOFTIRQ_NET_RX];
		squeezed += sum->pressure[cpu].squeezed;
		run += sum->pressure[cpu].run_ns;
		seen |= sum->pressure[cpu].deferred;
		if (pressure > v[SL_METRIC_PRESSURE])
			v[SL_METRIC_PRESSURE] = pressure;
	}
	own = own_irqs(sum, scope, &any);
	v[SL_METRIC_PACKETS] = per_second(sum, sum->packets);
	v[SL_METRIC_IRQS] = ratio(device, sum->packets);
	v[SL_METRIC_OWN_IRQS] = any ? ratio(own, sum->packets) : NAN;
	v[SL_METRIC_NET_RX] = ratio(rounds, sum->packets);
	v[SL_METRIC_SQUEEZED] = per_second(sum, squeezed);
	v[SL_METRIC_KSOFTIRQD] = seen ? ratio(run, sum->time_ns) : NAN;
	v[SL_METRIC_SWITCHES] = per_second(sum, sum->proc.switches);
}

static void of_polls(const struct sl_trace_sample *sum,
		     const struct sl_trace_scope *scope, double *v)
{
	uint64_t polls[SL_POLL_COUNT] = { 0 }, all = 0, work = 0, full = 0;

	for (size_t i = 0; i < sum->n_napis; i++) {
		const struct sl_trace_napi *n = &sum->napis[i].counts;

		if (!sl_trace_scope_has(scope, &sum->napis[i]))
			continue;
		for (int c = 0; c < SL_POLL_COUNT; c++) {
			polls[c] += n->polls[c];
			/* netpoll takes no packets. */
			if (c == SL_POLL_NETPOLL)
				continue;
			all += n->polls[c];
			work += n->work[c];
			full += n->full[c];
		}
	}
	v[SL_METRIC_POLLS] = ratio(all, sum->packets);
	v[SL_METRIC_POLLS_SOFTIRQ] =
		ratio(polls[SL_POLL_SOFTIRQ], sum->packets);
	v[SL_METRIC_POLLS_KSOFTIRQD] =
		ratio(polls[SL_POLL_KSOFTIRQD], sum->packets);
	v[SL_METRIC_POLLS_THREAD] = ratio(polls[SL_POLL_THREAD], sum->packets);
	v[SL_METRIC_POLLS_USER] = ratio(polls[SL_POLL_USER], sum->packets);
	v[SL_METRIC_WORK] = ratio(work, all);
	v[SL_METRIC_FULL] = ratio(full, all);
}

static double mean(const struct sl_trace_sample *sum, size_t offset)
{
	uint64_t count = 0, total = 0;

	for (uint32_t cpu = 0; cpu < sum->n_cpus; cpu++) {
		const struct sl_trace_histogram *h =
			(const void *)((const char *)&sum->cpus[cpu] + offset);

		total += h->sum;
		for (int k = 0; k < SL_TRACE_SLOTS; k++)
			count += h->slot[k];
	}
	return ratio(total, count);
}

static void of_times(const struct sl_trace_sample *sum, double *v)
{
	v[SL_METRIC_IRQ_NS] =
		mean(sum, offsetof(struct sl_trace_cpu, hard_irq));
	v[SL_METRIC_WAIT_NS] =
		mean(sum, offsetof(struct sl_trace_cpu,
				   softirq_wait[SL_SOFTIRQ_NET_RX]));
	v[SL_METRIC_RX_NS] =
		mean(sum, offsetof(struct sl_trace_cpu,
				   softirq_time[SL_SOFTIRQ_NET_RX]));
	v[SL_METRIC_POLL_NS] =
		mean(sum, offsetof(struct sl_trace_cpu, poll_time));
}

static void of_deep(const struct sl_trace_sample *sum, double *v)
{
	static const enum sl_trace_metric metrics[SL_EVENT_COUNT] = {
		[SL_EVENT_SYSCALL] = SL_METRIC_SYSCALL,
		[SL_EVENT_SWITCH] = SL_METRIC_COUNT, /* of_proc() has them */
		[SL_EVENT_KMALLOC] = SL_METRIC_KMALLOC,
		[SL_EVENT_CACHE] = SL_METRIC_CACHE,
		[SL_EVENT_TASKLET] = SL_METRIC_TASKLET,
		[SL_EVENT_WORK] = SL_METRIC_WORK_ITEM,
	};

	for (int e = 0; e < SL_EVENT_COUNT; e++) {
		uint64_t count = 0;

		for (uint32_t cpu = 0; cpu < sum->n_cpus; cpu++)
			count += sum->cpus[cpu].event[e];
		if (sum->events & 1u << e && metrics[e] != SL_METRIC_COUNT)
			v[metrics[e]] = ratio(count, sum->packets);
	}
}

/* To the nanosecond, where /proc is as late as a tick. */
static void of_threads(const struct sl_trace_sample *sum, double *v)
{
	uint64_t ksoftirqd = 0, threads = 0;

	if (!(sum->events & 1u << SL_EVENT_SWITCH))
		return;
	for (uint32_t cpu = 0; cpu < sum->n_cpus; cpu++) {
		ksoftirqd += sum->cpus[cpu].ksoftirqd_ns;
		threads += sum->cpus[cpu].napi_thread_ns;
	}
	v[SL_METRIC_KSOFTIRQD] = ratio(ksoftirqd, sum->time_ns);
	v[SL_METRIC_THREADS] = ratio(threads, sum->time_ns);
}

void sl_trace_metrics(const struct sl_trace_sample *sum,
		      const struct sl_trace_scope *scope, uint64_t budget_ns,
		      double values[SL_METRIC_COUNT])
{
	for (int m = 0; m < SL_METRIC_COUNT; m++)
		values[m] = NAN;
	of_proc(sum, scope, budget_ns, values);
	if (!sum->bpf)
		return;
	of_polls(sum, scope, values);
	of_times(sum, values);
	of_deep(sum, values);
	of_threads(sum, values);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Between the values at both sides of a place in the sorted list. */
static double at(const double *sorted, size_t n, double part)
{
	double place = part * (double)(n - 1);
	size_t below = (size_t)place;
	double over = place - (double)below;

	if (below + 1 >= n)
		return sorted[n - 1];
	return sorted[below] * (1 - over) + sorted[below + 1] * over;
}

struct sl_trace_spread sl_trace_spread_of(double *values, size_t n)
{
	struct sl_trace_spread spread = { NAN, NAN, NAN, 0 };
	size_t known = 0;

	for (size_t i = 0; i < n; i++)
		if (!isnan(values[i]))
			values[known++] = values[i];
	spread.n = known;
	if (!known)
		return spread;
	qsort(values, known, sizeof(*values), compare);
	spread.median = at(values, known, 0.5);
	spread.low = at(values, known, 0.25);
	spread.high = at(values, known, 0.75);
	return spread;
}

enum sl_trace_verdict sl_trace_judge(const struct sl_trace_spread *a,
				     const struct sl_trace_spread *b)
{
	double difference = fabs(b->median - a->median);
	double wide = fmax(a->high - a->low, b->high - b->low);

	if (a->n < LEAST || b->n < LEAST)
		return SL_TRACE_UNKNOWN;
	if (difference <= wide ||
	    difference < SMALL * fmax(fabs(a->median), fabs(b->median)))
		return SL_TRACE_NOISE;
	return SL_TRACE_CHANGED;
}

const char *sl_trace_verdict_text(enum sl_trace_verdict verdict)
{
	static const char *const texts[] = { "unknown", "noise", "changed" };

	return texts[verdict];
}
