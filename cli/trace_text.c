// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "trace_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/trace.h"
#include "lib/trace_compare.h"
#include "lib/trace_histogram.h"

#define BAR 40	/* columns of the longest bar */
#define IRQS 10 /* lines of interrupts; JSON has them all */
#define NAPIS 16

/* As many digits as mean something. */
static const char *number(double value, char text[24])
{
	if (isnan(value))
		snprintf(text, 24, "-");
	else if (fabs(value) >= 100)
		snprintf(text, 24, "%.0f", value);
	else
		snprintf(text, 24, fabs(value) >= 10 ? "%.2f" : "%.4f", value);
	return text;
}

static void print_head(const struct sl_trace *t)
{
	for (size_t i = 0; i < t->scope.n_items; i++)
		printf("%s%s", i ? ", " : "", t->scope.items[i].name);
	printf("%s: %.1f s, %llu packets by %s; ",
	       t->scope.n_items ? "" : "no interface",
	       (double)t->sum.time_ns / 1e9, (unsigned long long)t->sum.packets,
	       t->packets_from);
	if (!t->tracer) {
		printf("seen by /proc alone, without polls and times, because:\n"
		       "  %s\n",
		       t->why.text);
		return;
	}
	puts("seen by BPF");
	for (size_t i = 0; sl_tracer_missing(t->tracer, i); i++)
		printf("  this kernel has no tracepoint \"%s\"\n",
		       sl_tracer_missing(t->tracer, i));
}

static void print_metrics(const struct sl_trace *t)
{
	char median[24], low[24], high[24];

	printf("  %-20s %12s %-8s %12s .. %-12s\n", "", "median", "", "25 %",
	       "75 %");
	for (int m = 0; m < SL_METRIC_COUNT; m++) {
		struct sl_trace_spread s = sl_trace_spread(t, m, true);

		if (s.n)
			printf("  %-20s %12s %-8s %12s .. %-12s %s\n",
			       sl_trace_metric_name(m),
			       number(s.median, median),
			       sl_trace_metric_unit(m), number(s.low, low),
			       number(s.high, high), sl_trace_metric_help(m));
	}
}

static uint64_t polls_of(const struct sl_trace_cpu *cpu, int context)
{
	uint64_t count = 0;

	for (int k = 0; k < SL_TRACE_SLOTS; k++)
		count += cpu->poll_work[context].slot[k];
	return count;
}

static void print_cpus(const struct sl_trace *t)
{
	const struct sl_trace_sample *sum = &t->sum;

	printf("\n  %-4s %9s %9s %9s %11s %11s %9s %s\n", "CPU", "pressure",
	       "deferred", "exhausted", "device IRQs", "NET_RX", "squeezed",
	       t->tracer ?
		       "      polls: softirq   ksoftirqd      thread        "
		       "user" :
		       "");
	for (uint32_t cpu = 0; cpu < sum->n_cpus; cpu++) {
		struct sl_pressure_figure f =
			sl_trace_sample_pressure(sum, cpu, t->budget_ns);

		if (!sum->pressure[cpu].online)
			continue;
		printf("  %-4u %9.3f ", cpu, f.pressure);
		if (f.has_deferred)
			printf("%9.3f", f.deferred);
		else
			printf("%9s", "unseen");
		printf(" %9.3f %11llu %11llu %9llu", f.exhausted,
		       (unsigned long long)sum->proc.cpus[cpu].device_irqs,
		       (unsigned long long)sum->proc.cpus[cpu]
			       .softirqs[SL_SOFTIRQ_NET_RX],
		       (unsigned long long)sum->pressure[cpu].squeezed);
		for (int c = 0; t->tracer && c < SL_POLL_NETPOLL; c++)
			printf("%*llu", c ? 12 : 22,
			       (unsigned long long)polls_of(&sum->cpus[cpu],
							    c));
		putchar('\n');
	}
}

static uint64_t all_polls(const struct sl_tracer_napi *napi)
{
	uint64_t count = 0;

	for (int c = 0; c < SL_POLL_COUNT; c++)
		count += napi->counts.polls[c];
	return count;
}

/* Those in question first, then by polls. qsort() has no argument for the scope. */
struct ranked {
	const struct sl_tracer_napi *napi;
	bool ours;
	uint64_t count;
};

static int compare_ranked(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->ours != y->ours)
		return x->ours ? -1 : 1;
	return (x->count < y->count) - (x->count > y->count);
}

static void print_napi(const struct ranked *r)
{
	const struct sl_trace_napi *n = &r->napi->counts;
	uint64_t work = 0, full = 0;

	for (int c = 0; c < SL_POLL_COUNT; c++) {
		work += n->work[c];
		full += n->full[c];
	}
	printf("%c %-15s %8u %11llu %13.2f %9.2f %%", r->ours ? '*' : ' ',
	       *n->interface ? n->interface : "(backlog)", r->napi->key.napi_id,
	       (unsigned long long)r->count, (double)work / (double)r->count,
	       100 * (double)full / (double)r->count);
	for (int c = 0; c < SL_POLL_NETPOLL; c++)
		printf("%*llu", c ? 12 : 13, (unsigned long long)n->polls[c]);
	putchar('\n');
}

static void print_napis(const struct sl_trace *t)
{
	struct ranked *ranked = calloc(t->sum.n_napis + 1, sizeof(*ranked));
	size_t n = 0;

	for (size_t i = 0; ranked && i < t->sum.n_napis; i++) {
		const struct sl_tracer_napi *napi = &t->sum.napis[i];

		ranked[n] =
			(struct ranked){ napi,
					 sl_trace_scope_has(&t->scope, napi),
					 all_polls(napi) };
		n += ranked[n].count ? 1 : 0;
	}
	if (n) {
		qsort(ranked, n, sizeof(*ranked), compare_ranked);
		printf("\n  %-15s %8s %11s %13s %11s %12s %11s %11s %11s\n",
		       "interface", "NAPI", "polls", "packets/poll",
		       "full budget", "softirq", "ksoftirqd", "thread", "user");
		for (size_t i = 0; i < n && i < NAPIS; i++)
			print_napi(&ranked[i]);
		if (n > NAPIS)
			printf("  and %zu more; --json has them\n", n - NAPIS);
	}
	free(ranked);
}

static int compare_irqs(const void *a, const void *b)
{
	const struct sl_proc_irq *x = *(const struct sl_proc_irq *const *)a;
	const struct sl_proc_irq *y = *(const struct sl_proc_irq *const *)b;

	return (x->count < y->count) - (x->count > y->count);
}

static void print_irqs(const struct sl_trace *t)
{
	const struct sl_proc *proc = &t->sum.proc;
	const struct sl_proc_irq **list =
		calloc(proc->n_irqs + 1, sizeof(*list));
	size_t n = 0;
	char text[24];

	for (size_t i = 0; list && i < proc->n_irqs; i++)
		if (proc->irqs[i].count)
			list[n++] = &proc->irqs[i];
	if (n) {
		qsort(list, n, sizeof(*list), compare_irqs);
		printf("\n  %-8s %11s %12s\n", "IRQ", "count",
		       t->sum.packets ? "per packet" : "");
		for (size_t i = 0; i < n && i < IRQS; i++)
			printf("  %-8s %11llu %12s  %s\n", list[i]->name,
			       (unsigned long long)list[i]->count,
			       t->sum.packets ?
				       number((double)list[i]->count /
						      (double)t->sum.packets,
					      text) :
				       "",
			       list[i]->what);
	}
	free(list);
}

static void print_histogram(const struct sl_trace_named *h)
{
	size_t first = SL_TRACE_SLOTS, last = 0;
	uint64_t most = 1, low, high;

	for (size_t k = 0; k < SL_TRACE_SLOTS; k++) {
		if (!h->sum.slot[k])
			continue;
		first = k < first ? k : first;
		last = k;
		most = h->sum.slot[k] > most ? h->sum.slot[k] : most;
	}
	printf("\n  %s, %s: %llu, on average %.1f, 99 %% up to %llu\n", h->name,
	       h->unit, (unsigned long long)h->count,
	       (double)h->sum.sum / (double)h->count,
	       (unsigned long long)sl_trace_quantile(h, 0.99));
	for (size_t k = first; k <= last; k++) {
		/* A slot that holds anything shows. */
		int bar = (int)((h->sum.slot[k] * BAR + most - 1) / most);

		sl_trace_slot(k, &low, &high);
		printf("  %11llu+ %11llu |%.*s\n", (unsigned long long)low,
		       (unsigned long long)h->sum.slot[k], bar,
		       "########################################");
	}
}

/* Of the softirqs those of the network; JSON has them all. */
static bool is_of_packets(const char *name)
{
	static const char *const prefixes[] = { "hard_irq", "net_", "poll",
						"packets_", "irq_" };

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
		if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return strncmp(name, "irq_poll", 8) != 0;
	return false;
}

static void print_histograms(const struct sl_trace *t)
{
	struct sl_trace_named *named =
		calloc(SL_TRACE_NAMED_MAX, sizeof(*named));
	size_t n = named ? sl_trace_histograms(&t->sum, named) : 0;

	for (size_t i = 0; i < n; i++)
		if (is_of_packets(named[i].name))
			print_histogram(&named[i]);
	free(named);
}

static void print_cost(const struct sl_trace *t)
{
	struct sl_trace_spread with, without;
	const struct sl_tracer_cost *cost = &t->cost;
	char a[24], b[24];

	if (!t->tracer || !t->deep)
		return;
	with = sl_trace_spread(t, SL_METRIC_PACKETS, true);
	without = sl_trace_spread(t, SL_METRIC_PACKETS, false);
	if (cost->runs)
		printf("\n  the tracing programs ran %llu times in %.2f s, %.0f ns "
		       "each, %.4f CPUs; %llu runs were left out\n",
		       (unsigned long long)cost->runs, (double)t->cost_ns / 1e9,
		       (double)cost->run_ns / (double)cost->runs,
		       (double)cost->run_ns / (double)t->cost_ns,
		       (unsigned long long)cost->missed);
	else
		puts("\n  the kernel did not time the tracing programs");
	printf("  packets/s with them %s, without them %s: %s\n",
	       number(with.median, a), number(without.median, b),
	       sl_trace_verdict_text(sl_trace_judge(&without, &with)));
}

void cli_trace_print(const struct sl_trace *t)
{
	print_head(t);
	print_metrics(t);
	print_cpus(t);
	print_napis(t);
	print_irqs(t);
	print_histograms(t);
	print_cost(t);
}

void cli_trace_print_comparison(const struct sl_trace_comparison *c,
				const char *a, const char *b)
{
	char a_median[24], a_wide[24], b_median[24], b_wide[24];
	char change[SL_TRACE_CHANGE_BYTES];

	printf("A: %s, %zu run%s; B: %s, %zu run%s\n", a, c->a_runs,
	       c->a_runs == 1 ? "" : "s", b, c->b_runs,
	       c->b_runs == 1 ? "" : "s");
	if (c->unlike)
		printf("  not alike: %s\n", c->unlike);
	if (!c->interleaved)
		puts("  the runs do not take turns (A B A B): what drifts with "
		     "time looks like a change");
	printf("  %-20s %-8s %12s %12s %12s %12s\n", "", "", "A", "spread", "B",
	       "spread");
	for (int m = 0; m < SL_METRIC_COUNT; m++) {
		const struct sl_trace_compared *one = &c->metrics[m];

		if (!one->a.n && !one->b.n)
			continue;
		printf("  %-20s %-8s %12s %12s %12s %12s  %s\n",
		       sl_trace_metric_name(m), sl_trace_metric_unit(m),
		       number(one->a.median, a_median),
		       number(one->a.high - one->a.low, a_wide),
		       number(one->b.median, b_median),
		       number(one->b.high - one->b.low, b_wide),
		       sl_trace_change_text(one, change));
	}
}
