// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The order of opening matters. First what is read of /proc and /sys, then the tracer,
 * last the filters: who holds them is asked at Sluice's bpffs, and that may move the
 * process to another mount namespace with another /sys.
 */
#include "trace.h"

#include <errno.h>
#include <math.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "attach.h"
#include "clock.h"
#include "doctor_nic.h"
#include "filter.h"
#include "observe.h"

/* A signal between the look at *stop and the wait is so late at most. */
#define STOP_NS 200000000u

static int no_memory(struct sl_error *error)
{
	return sl_error_set(error, -ENOMEM, "trace: out of memory");
}

/* Its interrupts, where /sys is of this network namespace. */
static int read_irqs(const char *name, int **irqs, size_t *n)
{
	struct sl_nic nic;
	int err = sl_nic_read(name, &nic);

	if (err)
		return err;
	*irqs = calloc(nic.irqs.n + 1, sizeof(**irqs));
	if (!*irqs)
		err = -ENOMEM;
	for (*n = 0; !err && *n < nic.irqs.n; (*n)++)
		(*irqs)[*n] = nic.irqs.items[*n].number;
	sl_nic_fini(&nic);
	return err;
}

static int add_interface(struct sl_trace_scope *scope, const char *name,
			 uint32_t ifindex)
{
	struct sl_trace_interface fresh = { .ifindex = ifindex,
					    .totals_fd = -1 };
	struct sl_trace_interface *more =
		reallocarray(scope->items, scope->n_items + 1, sizeof(*more));
	int err;

	if (!more)
		return -ENOMEM;
	scope->items = more;
	snprintf(fresh.name, sizeof(fresh.name), "%s", name);
	err = read_irqs(name, &fresh.irqs, &fresh.n_irqs);
	more[scope->n_items++] = fresh;
	return err;
}

static int read_scope(const char *interface, struct sl_trace_scope *scope,
		      struct sl_error *error)
{
	struct if_nameindex *list;
	struct stat netns;
	int err = 0;

	if (stat("/proc/self/ns/net", &netns) == 0)
		scope->netns = (uint32_t)netns.st_ino;
	list = if_nameindex();
	if (!list)
		return no_memory(error);
	for (size_t i = 0; list[i].if_index && err != -ENOMEM; i++)
		if (strcmp(interface ? interface : list[i].if_name,
			   list[i].if_name) == 0 &&
		    (interface || strcmp(list[i].if_name, "lo") != 0))
			err = add_interface(scope, list[i].if_name,
					    list[i].if_index);
	if_freenameindex(list);
	if (err == -ENOMEM)
		return no_memory(error);
	if (interface && !scope->n_items)
		return sl_error_set(
			error, -ENODEV,
			"%s: no such interface in this network "
			"namespace; `ip link` lists those there are",
			interface);
	/* One that went while it was read is one without interrupts. */
	return 0;
}

/* The counters of its filter are kept over reloads: one descriptor is enough. */
static void open_filter(struct sl_trace_interface *i)
{
	struct sl_error unused = { "" };
	struct sl_attachment attachment;
	struct sl_filter filter;

	if (sl_attachment_open(i->name, &attachment, &unused))
		return;
	if (attachment.prog_id &&
	    !sl_filter_open(attachment.prog_id, &filter, &unused)) {
		if (filter.map_fd[SL_MAP_TOTALS] >= 0)
			i->totals_fd = dup(filter.map_fd[SL_MAP_TOTALS]);
		sl_filter_close(&filter);
	}
	sl_attachment_close(&attachment);
}

static void interface_fini(struct sl_trace_interface *i)
{
	if (i->totals_fd >= 0)
		close(i->totals_fd);
	free(i->irqs);
}

/*
 * With none named those that have a filter are in question, if there are any.
 */
static void narrow(struct sl_trace *t, const char *interface)
{
	struct sl_trace_scope *scope = &t->scope;
	size_t n = 0;

	for (size_t i = 0; i < scope->n_items; i++)
		t->from_filter |= scope->items[i].totals_fd >= 0;
	for (size_t i = 0; i < scope->n_items; i++) {
		if (!t->from_filter || scope->items[i].totals_fd >= 0)
			scope->items[n++] = scope->items[i];
		else
			interface_fini(&scope->items[i]);
	}
	scope->n_items = n;
	t->everything = !t->from_filter && !interface;
	if (t->from_filter)
		snprintf(t->packets_from, sizeof(t->packets_from),
			 "the filter's counters");
	else
		snprintf(t->packets_from, sizeof(t->packets_from),
			 "rx_packets of %s",
			 interface ? interface : "all interfaces here");
}

int sl_trace_open(const char *interface, bool deep, struct sl_trace **trace,
		  struct sl_error *error)
{
	struct sl_trace *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return no_memory(error);
	err = sl_pressure_open(&t->pressure);
	if (err)
		sl_error_set(error, err, "trace: read /proc: %s",
			     strerror(-err));
	else
		err = read_scope(interface, &t->scope, error);
	if (err)
		goto err_close;
	t->budget_ns = sl_pressure_budget_ns(t->pressure);
	if (sl_trace_sample_init(sl_pressure_cpus(t->pressure), &t->sum)) {
		err = no_memory(error);
		goto err_close;
	}
	if (sl_tracer_open(deep, &t->tracer, &t->why) == 0)
		t->deep = deep;
	for (size_t i = 0; i < t->scope.n_items; i++)
		open_filter(&t->scope.items[i]);
	narrow(t, interface);
	*trace = t;
	return 0;
err_close:
	sl_trace_close(t);
	return err;
}

void sl_trace_close(struct sl_trace *t)
{
	if (!t)
		return;
	sl_tracer_close(t->tracer);
	for (size_t i = 0; i < t->scope.n_items; i++)
		interface_fini(&t->scope.items[i]);
	free(t->scope.items);
	sl_trace_sample_fini(&t->sum);
	sl_pressure_close(t->pressure);
	free(t->intervals);
	free(t);
}

/* An interface that is gone has received nothing more. */
static int count_packets(const struct sl_trace *t, uint64_t *packets)
{
	const struct sl_trace_scope *scope = &t->scope;

	*packets = 0;
	if (!t->from_filter) {
		sl_proc_received(t->everything ? NULL : scope->items[0].name,
				 packets);
		return 0;
	}
	for (size_t i = 0; i < scope->n_items; i++) {
		struct sl_totals totals;
		int err = sl_totals_read(scope->items[i].totals_fd, &totals);

		if (err)
			return err;
		*packets += totals.rx.packets;
	}
	return 0;
}

static int sample(const struct sl_trace *t, bool traced,
		  struct sl_trace_sample *s)
{
	int err =
		sl_trace_sample_read(t->pressure, traced ? t->tracer : NULL, s);

	if (err)
		return err;
	err = count_packets(t, &s->packets);
	if (err)
		sl_trace_sample_fini(s);
	return err;
}

static void wait_ns(uint64_t ns, const volatile sig_atomic_t *stop)
{
	uint64_t end = sl_clock_ns() + ns;

	for (uint64_t now = sl_clock_ns(); now < end && !*stop;
	     now = sl_clock_ns()) {
		uint64_t left = end - now < STOP_NS ? end - now : STOP_NS;
		struct timespec time = { 0, (long)left };

		nanosleep(&time, NULL);
	}
}

/* What the interval showed, and its part of the sum. */
static int take(struct sl_trace *t, bool traced,
		const struct sl_trace_sample *before,
		const struct sl_trace_sample *after)
{
	struct sl_trace_interval *interval = &t->intervals[t->n_intervals];
	struct sl_trace_sample difference;
	int err = sl_trace_sample_init(before->n_cpus, &difference);

	if (!err)
		err = sl_trace_sample_add(&difference, before, after);
	if (!err && traced)
		err = sl_trace_sample_add(&t->sum, before, after);
	if (!err) {
		interval->traced = traced;
		interval->time_ns = difference.time_ns;
		sl_trace_metrics(&difference, &t->scope, t->budget_ns,
				 interval->metrics);
		t->n_intervals++;
	}
	sl_trace_sample_fini(&difference);
	return err;
}

static int observe(struct sl_trace *t, bool traced, uint64_t interval_ns,
		   const volatile sig_atomic_t *stop)
{
	struct sl_trace_sample before, after;
	int err = sample(t, traced, &before);

	if (err)
		return err;
	wait_ns(interval_ns, stop);
	err = sample(t, traced, &after);
	if (!err) {
		err = take(t, traced, &before, &after);
		sl_trace_sample_fini(&after);
	}
	sl_trace_sample_fini(&before);
	return err;
}

/* What the programs take, by the kernel's own timing of them. */
static int time_programs(struct sl_trace *t, uint64_t interval_ns,
			 const volatile sig_atomic_t *stop,
			 struct sl_error *error)
{
	struct sl_tracer_cost before;
	uint64_t began;
	int err = sl_tracer_start(t->tracer, error);

	if (err)
		return err;
	sl_tracer_time(t->tracer, true);
	began = sl_clock_ns();
	err = sl_tracer_cost(t->tracer, &before);
	wait_ns(interval_ns, stop);
	if (!err)
		err = sl_tracer_cost(t->tracer, &t->cost);
	t->cost_ns = sl_clock_ns() - began;
	sl_tracer_time(t->tracer, false);
	if (err)
		return sl_error_set(error, err, "trace: read the cost: %s",
				    strerror(-err));
	t->cost.run_ns -= before.run_ns;
	t->cost.runs -= before.runs;
	return 0;
}

int sl_trace_run(struct sl_trace *t, size_t n, uint64_t interval_ns,
		 const volatile sig_atomic_t *stop, struct sl_error *error)
{
	bool alternate = t->tracer && t->deep;
	int err = 0;

	t->began_s = (uint64_t)time(NULL);
	t->intervals = calloc(n, sizeof(*t->intervals));
	if (!t->intervals)
		return no_memory(error);
	for (size_t i = 0; i < n && !*stop; i++) {
		bool traced = !alternate || i % 2 == 0;

		if (t->tracer && traced && (i == 0 || alternate))
			err = sl_tracer_start(t->tracer, error);
		else if (!traced)
			sl_tracer_stop(t->tracer);
		if (err)
			return err;
		err = observe(t, traced, interval_ns, stop);
		if (err)
			return sl_error_set(error, err,
					    "trace: read the counters: %s",
					    strerror(-err));
	}
	return alternate && !*stop ?
		       time_programs(t, interval_ns, stop, error) :
		       0;
}

struct sl_trace_spread sl_trace_spread(const struct sl_trace *t,
				       enum sl_trace_metric metric, bool traced)
{
	struct sl_trace_spread spread = { NAN, NAN, NAN, 0 };
	double *values = calloc(t->n_intervals + 1, sizeof(*values));
	size_t n = 0;

	if (!values)
		return spread;
	for (size_t i = 0; i < t->n_intervals; i++)
		if (t->intervals[i].traced == traced)
			values[n++] = t->intervals[i].metrics[metric];
	spread = sl_trace_spread_of(values, n);
	free(values);
	return spread;
}
