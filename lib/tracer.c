// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "tracer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "error.h"
#include "log.h"
#include "trace_object.h"

#define PROGRAMS_MAX 32
#define SECTION "tp_btf/"
/*
 * A softirq that began before its program was there is not known to be one, and its
 * polls would pass for a task's. It ends within two ticks, of 10 ms at the most.
 */
#define ROUND_US 20000
#define TYPE_PREFIX "btf_trace_" /* of a tracepoint's arguments, in BTF */

/* The programs that are always on; the others are `deep`. */
static const char *const defaults[] = {
	"irq_handler_entry", "irq_handler_exit", "softirq_raise",
	"softirq_entry",     "softirq_exit",	 "napi_poll",
};

struct sl_tracer {
	struct bpf_object *object;
	struct bpf_program *programs[PROGRAMS_MAX];
	struct bpf_link *links[PROGRAMS_MAX]; /* NULL: off */
	size_t n_programs;
	const char *missing[PROGRAMS_MAX];
	size_t n_missing;
	int cpus_fd, slots_fd, napis_fd; /* the object's */
	int stats_fd; /* while it is open the kernel times programs */
	uint32_t n_cpus;
};

static const char *tracepoint_of(const struct bpf_program *program)
{
	return bpf_program__section_name(program) + strlen(SECTION);
}

static bool is_default(const char *tracepoint)
{
	for (size_t i = 0; i < sizeof(defaults) / sizeof(*defaults); i++)
		if (strcmp(defaults[i], tracepoint) == 0)
			return true;
	return false;
}

static bool kernel_has(const struct btf *kernel, const char *tracepoint)
{
	char name[64] = TYPE_PREFIX;

	strncat(name, tracepoint, sizeof(name) - sizeof(TYPE_PREFIX));
	return btf__find_by_name_kind(kernel, name, BTF_KIND_TYPEDEF) > 0;
}

/*
 * Which to load: one whose tracepoint is not there would fail the whole object.
 * Without one of the default six there is nothing to show.
 */
static int choose(struct sl_tracer *t, bool deep, struct sl_error *error)
{
	struct btf *kernel = btf__load_vmlinux_btf();
	struct bpf_program *program;
	int err = 0;

	if (!kernel)
		return sl_error_set(
			error, -errno,
			"trace: this kernel does not tell its types "
			"(/sys/kernel/btf/vmlinux): %s",
			strerror(errno));
	bpf_object__for_each_program(program, t->object) {
		const char *tracepoint = tracepoint_of(program);
		bool basic = is_default(tracepoint);
		bool wanted = basic || deep;
		bool there = wanted && kernel_has(kernel, tracepoint);

		bpf_program__set_autoload(program, there);
		if (there && t->n_programs < PROGRAMS_MAX)
			t->programs[t->n_programs++] = program;
		else if (wanted && t->n_missing < PROGRAMS_MAX)
			t->missing[t->n_missing++] = tracepoint;
		if (basic && !there)
			err = sl_error_set(error, -ENOENT,
					   "trace: this kernel has no "
					   "tracepoint \"%s\"",
					   tracepoint);
	}
	btf__free(kernel);
	return err;
}

static int load(struct sl_tracer *t, bool deep, struct sl_error *error)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "sluice_trace");
	int err;

	sl_log_clear();
	t->object = bpf_object__open_mem(
		sl_trace_object,
		(size_t)(sl_trace_object_end - sl_trace_object), &opts);
	if (!t->object)
		return sl_error_set(error, -errno,
				    "trace: read the programs: %s",
				    strerror(errno));
	err = choose(t, deep, error);
	if (err)
		return err;
	err = bpf_object__load(t->object);
	/* What libbpf says then is a guess at a limit that is not it. */
	if (err == -EPERM)
		return sl_error_set(error, err,
				    "trace: load the programs: %s; this takes "
				    "root, or CAP_BPF and CAP_PERFMON, and a "
				    "kernel that allows tracing (lockdown)",
				    strerror(-err));
	if (err)
		return sl_error_set(error, err,
				    "trace: load the programs: %s%s%s",
				    strerror(-err), *sl_log_tail() ? "\n" : "",
				    sl_log_tail());
	t->cpus_fd = bpf_object__find_map_fd_by_name(t->object, "sl_trace");
	t->slots_fd = bpf_object__find_map_fd_by_name(t->object, "sl_slots");
	t->napis_fd = bpf_object__find_map_fd_by_name(t->object, "sl_napis");
	return 0;
}

int sl_tracer_open(bool deep, struct sl_tracer **tracer, struct sl_error *error)
{
	struct sl_tracer *t = calloc(1, sizeof(*t));
	int cpus = libbpf_num_possible_cpus();
	int err;

	if (!t)
		return sl_error_set(error, -ENOMEM, "trace: out of memory");
	t->stats_fd = -1;
	t->n_cpus = cpus > 0 ? (uint32_t)cpus : 0;
	err = cpus < 0 ? sl_error_set(error, cpus, "trace: count the CPUs: %s",
				      strerror(-cpus)) :
			 load(t, deep, error);
	if (err) {
		sl_tracer_close(t);
		return err;
	}
	*tracer = t;
	return 0;
}

void sl_tracer_close(struct sl_tracer *t)
{
	if (!t)
		return;
	sl_tracer_stop(t);
	if (t->stats_fd >= 0)
		close(t->stats_fd);
	bpf_object__close(t->object);
	free(t);
}

/*
 * What began when the programs ran last has long ended: a time from then on would
 * be none. Nothing writes the map while they are off.
 */
static int forget_begun(struct sl_tracer *t)
{
	struct sl_trace_cpu *cpus = calloc(t->n_cpus, sizeof(*cpus));
	uint32_t zero = 0;
	int err;

	if (!cpus)
		return -ENOMEM;
	err = sl_tracer_read(t, cpus);
	for (uint32_t i = 0; i < t->n_cpus; i++) {
		memset(&cpus[i].state, 0, sizeof(cpus[i].state));
	}
	if (!err && bpf_map_update_elem(t->cpus_fd, &zero, cpus, BPF_ANY))
		err = -errno;
	free(cpus);
	return err;
}

int sl_tracer_start(struct sl_tracer *t, struct sl_error *error)
{
	int err = forget_begun(t);

	if (err)
		return sl_error_set(error, err, "trace: clear the counters: %s",
				    strerror(-err));
	for (size_t i = 0; i < t->n_programs; i++) {
		if (t->links[i])
			continue;
		t->links[i] = bpf_program__attach(t->programs[i]);
		if (!t->links[i]) {
			err = -errno;
			sl_tracer_stop(t);
			return sl_error_set(error, err,
					    "trace: attach to the tracepoint "
					    "\"%s\": %s",
					    tracepoint_of(t->programs[i]),
					    strerror(-err));
		}
	}
	usleep(ROUND_US);
	return 0;
}

void sl_tracer_stop(struct sl_tracer *t)
{
	for (size_t i = 0; i < t->n_programs; i++) {
		bpf_link__destroy(t->links[i]);
		t->links[i] = NULL;
	}
}

const char *sl_tracer_missing(const struct sl_tracer *t, size_t i)
{
	return i < t->n_missing ? t->missing[i] : NULL;
}

uint32_t sl_tracer_events(const struct sl_tracer *t)
{
	static const char *const tracepoints[SL_EVENT_COUNT] = {
#define X(id, name, tracepoint) tracepoint,
		SL_TRACE_EVENTS(X)
#undef X
	};
	uint32_t events = 0;

	for (size_t i = 0; i < t->n_programs; i++)
		for (int e = 0; e < SL_EVENT_COUNT; e++)
			if (strcmp(tracepoint_of(t->programs[i]),
				   tracepoints[e]) == 0)
				events |= 1u << e;
	return events;
}

uint32_t sl_tracer_cpus(const struct sl_tracer *t)
{
	return t->n_cpus;
}

int sl_tracer_read(const struct sl_tracer *t, struct sl_trace_cpu *cpus)
{
	uint32_t zero = 0;

	return bpf_map_lookup_elem(t->cpus_fd, &zero, cpus) ? -errno : 0;
}

/* The name is any CPU's that has seen it; the counts are summed. */
static void sum(const struct sl_trace_napi *values, uint32_t n,
		struct sl_trace_napi *out)
{
	*out = (struct sl_trace_napi){ 0 };
	for (uint32_t i = 0; i < n; i++) {
		if (*values[i].interface)
			memcpy(out->interface, values[i].interface,
			       sizeof(out->interface));
		for (int c = 0; c < SL_POLL_COUNT; c++) {
			out->polls[c] += values[i].polls[c];
			out->work[c] += values[i].work[c];
			out->full[c] += values[i].full[c];
		}
	}
}

/* Nothing is ever taken out of the map, so a walk by keys meets each once. */
int sl_tracer_napis(const struct sl_tracer *t, struct sl_tracer_napi *napis,
		    size_t *n)
{
	struct sl_trace_napi *values = calloc(t->n_cpus, sizeof(*values));
	struct sl_trace_key *before = NULL;
	uint32_t slot;
	int err = 0;
	size_t i = 0;

	if (!values)
		return -ENOMEM;
	while (i < SL_TRACE_NAPIS &&
	       bpf_map_get_next_key(t->slots_fd, before, &napis[i].key) == 0) {
		if (bpf_map_lookup_elem(t->slots_fd, &napis[i].key, &slot) ||
		    bpf_map_lookup_elem(t->napis_fd, &slot, values)) {
			err = -errno;
			break;
		}
		sum(values, t->n_cpus, &napis[i].counts);
		before = &napis[i++].key;
	}
	free(values);
	*n = err ? 0 : i;
	return err;
}

void sl_tracer_time(struct sl_tracer *t, bool on)
{
	if (t->stats_fd >= 0)
		close(t->stats_fd);
	/* Without it (CAP_SYS_ADMIN) the cost reads as no runs. */
	t->stats_fd = on ? bpf_enable_stats(BPF_STATS_RUN_TIME) : -1;
}

int sl_tracer_cost(const struct sl_tracer *t, struct sl_tracer_cost *cost)
{
	*cost = (struct sl_tracer_cost){ 0 };
	for (size_t i = 0; i < t->n_programs; i++) {
		struct bpf_prog_info info = { 0 };
		uint32_t length = sizeof(info);

		if (bpf_obj_get_info_by_fd(bpf_program__fd(t->programs[i]),
					   &info, &length))
			return -errno;
		cost->run_ns += info.run_time_ns;
		cost->runs += info.run_cnt;
		cost->missed += info.recursion_misses;
	}
	return 0;
}
