// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "trace_sample.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

int sl_trace_sample_init(uint32_t n_cpus, struct sl_trace_sample *s)
{
	*s = (struct sl_trace_sample){ .n_cpus = n_cpus };
	s->pressure = calloc(n_cpus, sizeof(*s->pressure));
	s->cpus = calloc(n_cpus, sizeof(*s->cpus));
	s->proc.cpus = calloc(n_cpus, sizeof(*s->proc.cpus));
	s->proc.n_cpus = n_cpus;
	return s->pressure && s->cpus && s->proc.cpus ? 0 : -ENOMEM;
}

void sl_trace_sample_fini(struct sl_trace_sample *s)
{
	sl_proc_fini(&s->proc);
	free(s->pressure);
	free(s->cpus);
	free(s->napis);
	*s = (struct sl_trace_sample){ 0 };
}

static int read_tracer(const struct sl_tracer *tracer,
		       struct sl_trace_sample *s)
{
	int err;

	s->napis = calloc(SL_TRACE_NAPIS, sizeof(*s->napis));
	if (!s->napis)
		return -ENOMEM;
	err = sl_tracer_read(tracer, s->cpus);
	if (!err)
		err = sl_tracer_napis(tracer, s->napis, &s->n_napis);
	s->events = sl_tracer_events(tracer);
	s->bpf = !err;
	return err;
}

int sl_trace_sample_read(struct sl_pressure *pressure,
			 const struct sl_tracer *tracer,
			 struct sl_trace_sample *sample)
{
	uint32_t n_cpus = sl_pressure_cpus(pressure);
	struct sl_trace_sample s;
	int err = sl_trace_sample_init(n_cpus, &s);

	sl_proc_fini(&s.proc); /* read whole, below */
	s.time_ns = sl_clock_ns();
	if (!err && tracer)
		err = read_tracer(tracer, &s);
	if (!err)
		err = sl_proc_read(n_cpus, &s.proc);
	if (!err)
		err = sl_pressure_read(pressure);
	if (err) {
		sl_trace_sample_fini(&s);
		return err;
	}
	for (uint32_t cpu = 0; cpu < n_cpus; cpu++)
		s.pressure[cpu] = sl_pressure_counted(pressure, cpu);
	*sample = s;
	return 0;
}

static uint64_t since(uint64_t before, uint64_t after)
{
	return after > before ? after - before : 0;
}

/* Structs of 64-bit counts are summed as the arrays that they are. */
static void add_counts(void *sum, const void *before, const void *after,
		       size_t bytes)
{
	const uint64_t *b = before, *a = after;
	uint64_t *s = sum;

	for (size_t i = 0; i < bytes / sizeof(*s); i++)
		s[i] += since(b[i], a[i]);
}

static const struct sl_proc_irq *find_irq(const struct sl_proc *proc,
					  const struct sl_proc_irq *irq)
{
	for (size_t i = 0; i < proc->n_irqs; i++)
		if (strcmp(proc->irqs[i].name, irq->name) == 0)
			return &proc->irqs[i];
	return NULL;
}

static int add_irq(struct sl_proc *sum, const struct sl_proc *before,
		   const struct sl_proc_irq *after)
{
	const struct sl_proc_irq *was = find_irq(before, after);
	uint64_t count = since(was ? was->count : 0, after->count);
	struct sl_proc_irq *irq =
		(struct sl_proc_irq *)find_irq(sum, after); /* sum is ours */

	if (!irq) {
		irq = reallocarray(sum->irqs, sum->n_irqs + 1, sizeof(*irq));
		if (!irq)
			return -ENOMEM;
		sum->irqs = irq;
		irq = &sum->irqs[sum->n_irqs++];
		*irq = *after;
		irq->count = 0;
	}
	irq->count += count;
	return 0;
}

static int add_proc(struct sl_proc *sum, const struct sl_proc *before,
		    const struct sl_proc *after)
{
	int err = 0;

	for (size_t i = 0; i < after->n_irqs && !err; i++)
		err = add_irq(sum, before, &after->irqs[i]);
	add_counts(sum->cpus, before->cpus, after->cpus,
		   sum->n_cpus * sizeof(*sum->cpus));
	sum->switches += since(before->switches, after->switches);
	return err;
}

static struct sl_tracer_napi *find_napi(const struct sl_trace_sample *s,
					const struct sl_trace_key *key)
{
	for (size_t i = 0; i < s->n_napis; i++)
		if (memcmp(&s->napis[i].key, key, sizeof(*key)) == 0)
			return &s->napis[i];
	return NULL;
}

static int add_napi(struct sl_trace_sample *sum,
		    const struct sl_trace_sample *before,
		    const struct sl_tracer_napi *after)
{
	static const struct sl_trace_napi none;
	const struct sl_tracer_napi *was = find_napi(before, &after->key);
	const struct sl_trace_napi *b = was ? &was->counts : &none;
	struct sl_tracer_napi *napi = find_napi(sum, &after->key);

	if (!napi) {
		napi = reallocarray(sum->napis, sum->n_napis + 1,
				    sizeof(*napi));
		if (!napi)
			return -ENOMEM;
		sum->napis = napi;
		napi = &sum->napis[sum->n_napis++];
		*napi = (struct sl_tracer_napi){ .key = after->key };
		memcpy(napi->counts.interface, after->counts.interface,
		       sizeof(napi->counts.interface));
	}
	add_counts(napi->counts.polls, b->polls, after->counts.polls,
		   sizeof(b->polls));
	add_counts(napi->counts.work, b->work, after->counts.work,
		   sizeof(b->work));
	add_counts(napi->counts.full, b->full, after->counts.full,
		   sizeof(b->full));
	return 0;
}

static int add_bpf(struct sl_trace_sample *sum,
		   const struct sl_trace_sample *before,
		   const struct sl_trace_sample *after)
{
	int err = 0;

	if (!before->bpf || !after->bpf)
		return 0;
	sum->bpf = true;
	sum->events = after->events;
	add_counts(sum->cpus, before->cpus, after->cpus,
		   sum->n_cpus * sizeof(*sum->cpus));
	for (size_t i = 0; i < after->n_napis && !err; i++)
		err = add_napi(sum, before, &after->napis[i]);
	return err;
}

/* A CPU that is not there at one of the two adds nothing. */
static void add_pressure(struct sl_pressure_count *sum,
			 const struct sl_pressure_count *b,
			 const struct sl_pressure_count *a)
{
	if (!b->online || !a->online)
		return;
	sum->online = true;
	sum->rounds += since(b->rounds, a->rounds);
	sum->squeezed += since(b->squeezed, a->squeezed);
	if (!b->deferred || !a->deferred)
		return;
	sum->deferred = true;
	sum->run_ns += since(b->run_ns, a->run_ns);
	sum->wait_ns += since(b->wait_ns, a->wait_ns);
}

int sl_trace_sample_add(struct sl_trace_sample *sum,
			const struct sl_trace_sample *before,
			const struct sl_trace_sample *after)
{
	int err = add_proc(&sum->proc, &before->proc, &after->proc);

	sum->time_ns += since(before->time_ns, after->time_ns);
	sum->packets += since(before->packets, after->packets);
	for (uint32_t cpu = 0; cpu < sum->n_cpus; cpu++)
		add_pressure(&sum->pressure[cpu], &before->pressure[cpu],
			     &after->pressure[cpu]);
	return err ? err : add_bpf(sum, before, after);
}

struct sl_pressure_figure
sl_trace_sample_pressure(const struct sl_trace_sample *sum, uint32_t cpu,
			 uint64_t budget_ns)
{
	struct sl_pressure_count none = { 0 };

	none.online = sum->pressure[cpu].online;
	none.deferred = sum->pressure[cpu].deferred;
	return sl_pressure_between(&none, &sum->pressure[cpu], sum->time_ns,
				   budget_ns);
}
