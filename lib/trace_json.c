// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "trace_json.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <jansson.h>

#include "error.h"
#include "trace.h"
#include "trace_histogram.h"
#include "trace_names.h"

/* JSON has no NAN. */
static json_t *real(double value)
{
	return isnan(value) ? json_null() : json_real(value);
}

json_t *sl_trace_spread_json(const struct sl_trace_spread *spread)
{
	return json_pack("{s:o, s:o, s:o, s:I}", "median", real(spread->median),
			 "low", real(spread->low), "high", real(spread->high),
			 "n", (json_int_t)spread->n);
}

static json_t *metrics_json(const struct sl_trace *t)
{
	json_t *all = json_object();

	for (int m = 0; m < SL_METRIC_COUNT; m++) {
		struct sl_trace_spread spread = sl_trace_spread(t, m, true);
		json_t *one = sl_trace_spread_json(&spread);

		json_object_set_new(one, "unit",
				    json_string(sl_trace_metric_unit(m)));
		json_object_set_new(one, "what",
				    json_string(sl_trace_metric_help(m)));
		json_object_set_new(all, sl_trace_metric_name(m), one);
	}
	return all;
}

static json_t *intervals_json(const struct sl_trace *t)
{
	json_t *list = json_array();

	for (size_t i = 0; i < t->n_intervals; i++) {
		const struct sl_trace_interval *interval = &t->intervals[i];
		json_t *values = json_object();

		for (int m = 0; m < SL_METRIC_COUNT; m++)
			json_object_set_new(values, sl_trace_metric_name(m),
					    real(interval->metrics[m]));
		json_array_append_new(list,
				      json_pack("{s:b, s:f, s:o}", "traced",
						interval->traced, "seconds",
						(double)interval->time_ns / 1e9,
						"metrics", values));
	}
	return list;
}

static json_t *cpu_polls_json(const struct sl_trace_cpu *cpu)
{
	json_t *polls = json_object();

	for (int c = 0; c < SL_POLL_COUNT; c++) {
		uint64_t count = 0;

		for (int k = 0; k < SL_TRACE_SLOTS; k++)
			count += cpu->poll_work[c].slot[k];
		json_object_set_new(polls, sl_trace_contexts[c],
				    json_integer((json_int_t)count));
	}
	return polls;
}

static json_t *cpu_json(const struct sl_trace *t, uint32_t cpu)
{
	const struct sl_trace_sample *sum = &t->sum;
	struct sl_pressure_figure figure =
		sl_trace_sample_pressure(sum, cpu, t->budget_ns);
	json_t *runs = json_object();

	for (int v = 0; v < SL_SOFTIRQ_COUNT; v++)
		json_object_set_new(
			runs, sl_trace_softirqs[v],
			json_integer(
				(json_int_t)sum->proc.cpus[cpu].softirqs[v]));
	return json_pack(
		"{s:i, s:f, s:o, s:f, s:I, s:I, s:I, s:I, s:o, s:o}", "cpu",
		(int)cpu, "pressure", figure.pressure, "deferred",
		figure.has_deferred ? json_real(figure.deferred) : json_null(),
		"exhausted", figure.exhausted, "ksoftirqd_ns",
		(json_int_t)sum->pressure[cpu].run_ns, "ksoftirqd_wait_ns",
		(json_int_t)sum->pressure[cpu].wait_ns, "squeezed",
		(json_int_t)sum->pressure[cpu].squeezed, "device_irqs",
		(json_int_t)sum->proc.cpus[cpu].device_irqs, "softirqs", runs,
		"polls",
		sum->bpf ? cpu_polls_json(&sum->cpus[cpu]) : json_null());
}

static json_t *cpus_json(const struct sl_trace *t)
{
	json_t *list = json_array();

	for (uint32_t cpu = 0; cpu < t->sum.n_cpus; cpu++)
		if (t->sum.pressure[cpu].online)
			json_array_append_new(list, cpu_json(t, cpu));
	return list;
}

static json_t *interrupts_json(const struct sl_trace *t)
{
	json_t *list = json_array();

	for (size_t i = 0; i < t->sum.proc.n_irqs; i++) {
		const struct sl_proc_irq *irq = &t->sum.proc.irqs[i];

		if (irq->count)
			json_array_append_new(
				list,
				json_pack("{s:s, s:s, s:I}", "name", irq->name,
					  "what", irq->what, "count",
					  (json_int_t)irq->count));
	}
	return list;
}

static json_t *napi_json(const struct sl_trace *t,
			 const struct sl_tracer_napi *napi)
{
	json_t *polls = json_object();
	uint64_t work = 0, full = 0;

	for (int c = 0; c < SL_POLL_COUNT; c++) {
		json_object_set_new(
			polls, sl_trace_contexts[c],
			json_integer((json_int_t)napi->counts.polls[c]));
		work += napi->counts.work[c];
		full += napi->counts.full[c];
	}
	return json_pack("{s:I, s:s, s:I, s:b, s:o, s:I, s:I}", "napi_id",
			 (json_int_t)napi->key.napi_id, "interface",
			 *napi->counts.interface ? napi->counts.interface :
						   "(backlog)",
			 "netns", (json_int_t)napi->key.netns, "in_question",
			 sl_trace_scope_has(&t->scope, napi), "polls", polls,
			 "packets", (json_int_t)work, "full", (json_int_t)full);
}

static bool polled(const struct sl_tracer_napi *napi)
{
	uint64_t polls = 0;

	for (int c = 0; c < SL_POLL_COUNT; c++)
		polls += napi->counts.polls[c];
	return polls;
}

static json_t *napis_json(const struct sl_trace *t)
{
	json_t *list = json_array();

	for (size_t i = 0; i < t->sum.n_napis; i++)
		if (polled(&t->sum.napis[i]))
			json_array_append_new(list,
					      napi_json(t, &t->sum.napis[i]));
	return list;
}

static json_t *histograms_json(const struct sl_trace *t)
{
	struct sl_trace_named *named =
		calloc(SL_TRACE_NAMED_MAX, sizeof(*named));
	size_t n = named ? sl_trace_histograms(&t->sum, named) : 0;
	json_t *list = named ? json_array() : NULL;

	for (size_t i = 0; i < n; i++) {
		json_t *slots = json_array();
		uint64_t low, high;

		/* The empty ones are left out. */
		for (size_t k = 0; k < SL_TRACE_SLOTS; k++)
			if (named[i].sum.slot[k]) {
				sl_trace_slot(k, &low, &high);
				json_array_append_new(
					slots,
					json_pack("[I, I]", (json_int_t)low,
						  (json_int_t)named[i]
							  .sum.slot[k]));
			}
		json_array_append_new(
			list, json_pack("{s:s, s:s, s:I, s:I, s:o}", "name",
					named[i].name, "unit", named[i].unit,
					"count", (json_int_t)named[i].count,
					"sum", (json_int_t)named[i].sum.sum,
					"slots", slots));
	}
	free(named);
	return list;
}

static json_t *missing_json(const struct sl_trace *t)
{
	json_t *list = json_array();
	const char *name;

	for (size_t i = 0;
	     t->tracer && (name = sl_tracer_missing(t->tracer, i)); i++)
		json_array_append_new(list, json_string(name));
	return list;
}

static json_t *cost_json(const struct sl_trace *t)
{
	struct sl_trace_spread with, without;

	if (!t->tracer || !t->deep)
		return json_null();
	with = sl_trace_spread(t, SL_METRIC_PACKETS, true);
	without = sl_trace_spread(t, SL_METRIC_PACKETS, false);
	return json_pack(
		"{s:f, s:I, s:I, s:I, s:o, s:o, s:s}", "seconds",
		(double)t->cost_ns / 1e9, "run_ns", (json_int_t)t->cost.run_ns,
		"runs", (json_int_t)t->cost.runs, "missed",
		(json_int_t)t->cost.missed, "packets_with",
		sl_trace_spread_json(&with), "packets_without",
		sl_trace_spread_json(&without), "verdict",
		sl_trace_verdict_text(sl_trace_judge(&without, &with)));
}

static json_t *interfaces_json(const struct sl_trace *t)
{
	json_t *list = json_array();

	for (size_t i = 0; i < t->scope.n_items; i++)
		json_array_append_new(list,
				      json_string(t->scope.items[i].name));
	return list;
}

json_t *sl_trace_json(const struct sl_trace *t)
{
	struct utsname kernel = { .release = "" };

	uname(&kernel);
	return json_pack(
		"{s:s, s:I, s:s, s:o, s:b, s:o, s:s, s:f, s:I, s:o, s:o, s:o, "
		"s:o, s:o, s:o, s:o, s:o}",
		"kernel", kernel.release, "time", (json_int_t)t->began_s,
		"source", t->tracer ? "bpf" : "proc", "refused",
		t->tracer ? json_null() : json_string(t->why.text), "deep",
		t->deep, "interfaces", interfaces_json(t), "packets_from",
		t->from_filter ? "filter" : "interface", "seconds",
		(double)t->sum.time_ns / 1e9, "packets",
		(json_int_t)t->sum.packets, "metrics", metrics_json(t),
		"intervals", intervals_json(t), "cpus", cpus_json(t),
		"interrupts", interrupts_json(t), "napis", napis_json(t),
		"histograms", histograms_json(t), "missing", missing_json(t),
		"cost", cost_json(t));
}
