// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * limit-run [OPTION ...] OBJECT PROGRAM RATE   (root)
 *
 * Runs a program of limit.bpf.c from pinned threads by BPF_PROG_TEST_RUN and
 * prints one JSON object: what passed and was refused in the time counted, and
 * what a packet cost. RATE is as in a configuration (10kpps, 1Gbps).
 *
 *   -b N      burst N
 *   -s        per source
 *   -l N      2^N lines of buckets, not the usual number (per source)
 *   -c N      threads, pinned to the CPUs 0 to N-1 (2)
 *   -t MS     milliseconds to count (1000)
 *   -w MS     milliseconds to run before that, uncounted (0)
 *   -o PPS    offer PPS packets a second from each thread (all it can)
 *   -n N      offer N packets from each thread, then end
 *   -f N      bytes of a frame (64)
 *
 * Each thread counts for itself, between two of its own readings of the clock.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>

#include "bench/limit/limit.h"
#include "lib/config.h"
#include "lib/limiter.h"
#include "lib/quantity.h"

#define THREADS_MAX 64
/* An Ethernet header, and what BPF_PROG_TEST_RUN takes in one buffer. */
#define FRAME_MIN 14
#define FRAME_MAX 3500
#define LINES_LOG2_MAX 20
#define MS_MAX 600000
#define LOOPBACK_IFINDEX 1
#define NS_PER_S 1000000000ull
#define NS_PER_MS 1000000ull
/* A tenth of a millisecond or so: short, so that a disturbed one stands out. */
#define CHUNK 2048
/* What a paced thread waits for before it offers what has become due. */
#define PACE_NS 50000
#define COSTS_MAX 65536

struct run {
	struct sl_action_spec spec;
	const char *object, *program;
	uint64_t lines_log2; /* LINES_LOG2_MAX + 1: as usual */
	uint64_t threads, frame_bytes;
	uint64_t offer_pps, count; /* 0: all that time allows */
	uint64_t ms, warm_ms;
	int program_fd, cpus_fd, counts_fd;
	uint32_t cpus; /* possible ones */
	pthread_barrier_t start;
	uint64_t start_ns; /* of the warming up, once `start` has been passed */
};

struct thread {
	struct run *run;
	pthread_t id;
	struct limit_counts counts; /* in the time counted */
	uint64_t begin_ns;	    /* when that began, */
	uint64_t ns;		    /* how long it was, */
	uint64_t waited_ns;	    /* and how much of it without a CPU */
	uint32_t *cost_ns;	    /* of each chunk, per packet */
	size_t n_costs;
	uint32_t cpu;
	int err;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static int fail(const char *what, int err)
{
	fprintf(stderr, "limit-run: %s: %s\n", what, strerror(-err));
	return err;
}

/* How long this thread has waited for its CPU so far. */
static uint64_t waited_ns(void)
{
	FILE *file = fopen("/proc/thread-self/schedstat", "re");
	uint64_t waited = 0;
	char text[128], *end;

	if (!file)
		return 0;
	/* ns on a CPU, ns without, number of time slices */
	if (fgets(text, sizeof(text), file)) {
		(void)strtoull(text, &end, 10);
		waited = strtoull(end, NULL, 10);
	}
	fclose(file);
	return waited;
}

/* What this CPU has counted so far. */
static int read_counts(const struct run *run, uint32_t cpu,
		       struct limit_counts *counts)
{
	struct limit_counts *all = calloc(run->cpus, sizeof(*all));
	uint32_t zero = 0;
	int err = 0;

	if (!all)
		return -ENOMEM;
	if (bpf_map_lookup_elem(run->counts_fd, &zero, all) < 0)
		err = -errno;
	*counts = all[cpu];
	free(all);
	return err;
}

static int offer(struct thread *t, uint32_t packets)
{
	static const uint8_t frame[FRAME_MAX];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame,
		    .data_size_in = (uint32_t)t->run->frame_bytes,
		    .repeat = (int)packets);

	if (bpf_prog_test_run_opts(t->run->program_fd, &opts) < 0)
		return -errno;
	if (t->n_costs < COSTS_MAX)
		t->cost_ns[t->n_costs++] = opts.duration;
	return 0;
}

/* Offers until `end_ns`, as fast as asked. */
static int offer_until(struct thread *t, uint64_t end_ns)
{
	uint64_t begin = now_ns(), now = begin, sent = 0;
	int err = 0;

	while (now < end_ns && !err) {
		uint64_t due = CHUNK;

		if (t->run->offer_pps) {
			due = (now - begin) * t->run->offer_pps / NS_PER_S;
			due -= sent;
		}
		if (due)
			err = offer(t, (uint32_t)due);
		else
			nanosleep(&(struct timespec){ 0, PACE_NS }, NULL);
		sent += due;
		now = now_ns();
	}
	return err;
}

static int offer_count(struct thread *t)
{
	uint64_t left = t->run->count;
	int err = 0;

	while (left && !err) {
		uint32_t n = left < CHUNK ? (uint32_t)left : CHUNK;

		err = offer(t, n);
		left -= n;
	}
	return err;
}

static int count(struct thread *t)
{
	const struct run *run = t->run;
	uint64_t warm_ns = run->warm_ms * NS_PER_MS;
	uint64_t time_ns = run->ms * NS_PER_MS;
	struct limit_counts before, after;
	int err = offer_until(t, run->start_ns + warm_ns);

	t->n_costs = 0;
	if (!err)
		err = read_counts(run, t->cpu, &before);
	t->waited_ns = waited_ns();
	t->begin_ns = now_ns();
	if (!err)
		err = run->count ? offer_count(t) :
				   offer_until(t, t->begin_ns + time_ns);
	t->ns = now_ns() - t->begin_ns;
	t->waited_ns = waited_ns() - t->waited_ns;
	if (!err)
		err = read_counts(run, t->cpu, &after);
	if (err)
		return err;
	t->counts.passed = after.passed - before.passed;
	t->counts.refused = after.refused - before.refused;
	t->counts.hitter_passed = after.hitter_passed - before.hitter_passed;
	t->counts.hitter_refused = after.hitter_refused - before.hitter_refused;
	return 0;
}

static void *thread_main(void *arg)
{
	struct thread *t = arg;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(t->cpu, &set);
	t->err = -pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
	pthread_barrier_wait(&t->run->start);
	if (t->cpu == 0)
		t->run->start_ns = now_ns();
	pthread_barrier_wait(&t->run->start);
	if (!t->err)
		t->err = count(t);
	return NULL;
}

static int fill_maps(const struct run *run, struct bpf_object *object,
		     const struct sl_limiter *limiter)
{
	struct limit_counts *counts = calloc(run->cpus, sizeof(*counts));
	uint32_t zero = 0, slot = LIMIT_SLOT;
	int fd, err = 0;

	if (!counts)
		return -ENOMEM;
	for (uint32_t i = 0; i < run->cpus; i++)
		counts[i].random = 0x9e3779b97f4a7c15ull * (i + 1);
	if (bpf_map_update_elem(run->counts_fd, &zero, counts, BPF_ANY) < 0)
		err = -errno;
	free(counts);
	fd = bpf_object__find_map_fd_by_name(object, "sl_limiters");
	if (!err && bpf_map_update_elem(fd, &slot, limiter, BPF_ANY) < 0)
		err = -errno;
	return err;
}

/*
 * A run registers its program with the kernel's XDP dispatcher, which waits for
 * RCU unless it is registered already: so it is attached, to the loopback of a
 * namespace that goes with this process.
 */
static int hold(int program_fd)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = XDP_FLAGS_SKB_MODE);

	if (unshare(CLONE_NEWNET))
		return -errno;
	if (bpf_link_create(program_fd, LOOPBACK_IFINDEX, BPF_XDP, &opts) < 0)
		return -errno;
	return 0;
}

static int load(struct run *run, struct bpf_object **loaded)
{
	struct sl_limiter limiter;
	struct bpf_object *object;
	struct bpf_map *lines;
	uint64_t secret;
	int err;

	if (getrandom(&secret, sizeof(secret), 0) != sizeof(secret))
		return fail("getrandom", -errno);
	err = sl_limiter_init(&limiter, "limit", &run->spec,
			      (unsigned)run->threads, secret);
	if (err)
		return fail("limiter", err);
	if (run->lines_log2 <= LINES_LOG2_MAX)
		limiter.line_shift = 64 - (uint32_t)run->lines_log2;
	object = bpf_object__open(run->object);
	if (!object)
		return fail(run->object, -errno);
	lines = bpf_object__find_map_by_name(object, "sl_limit_lines");
	err = bpf_map__set_max_entries(lines, 1u << (64 - limiter.line_shift));
	if (!err)
		err = bpf_object__load(object);
	if (err)
		goto err_close;
	run->counts_fd =
		bpf_object__find_map_fd_by_name(object, "limit_counts");
	run->cpus_fd = bpf_object__find_map_fd_by_name(object, "sl_limit_cpus");
	run->program_fd = bpf_program__fd(
		bpf_object__find_program_by_name(object, run->program));
	err = run->program_fd < 0 ? -ENOENT : fill_maps(run, object, &limiter);
	if (!err)
		err = hold(run->program_fd);
	if (err)
		goto err_close;
	*loaded = object;
	return 0;

err_close:
	bpf_object__close(object);
	return fail(run->object, err);
}

static int compare(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static int print_evicted(const struct run *run)
{
	struct sl_limit_cpu *all = calloc(run->cpus, sizeof(*all));
	uint32_t slot = LIMIT_SLOT;
	uint64_t evicted = 0;

	if (!all)
		return -ENOMEM;
	if (bpf_map_lookup_elem(run->cpus_fd, &slot, all) < 0) {
		free(all);
		return -errno;
	}
	for (uint32_t i = 0; i < run->cpus; i++)
		evicted += all[i].evicted;
	free(all);
	printf("{\"evicted\": %llu, \"threads\": [",
	       (unsigned long long)evicted);
	return 0;
}

static void print_thread(struct thread *t)
{
	const struct limit_counts *c = &t->counts;

	qsort(t->cost_ns, t->n_costs, sizeof(*t->cost_ns), compare);
	printf("%s{\"begin\": %.6f, \"seconds\": %.6f, \"waited\": %.4f, \"passed\": %llu, "
	       "\"refused\": %llu, \"hitter_passed\": %llu, "
	       "\"hitter_refused\": %llu",
	       t->cpu ? ", " : "",
	       (double)(t->begin_ns - t->run->start_ns) / NS_PER_S,
	       (double)t->ns / NS_PER_S, (double)t->waited_ns / (double)t->ns,
	       (unsigned long long)c->passed, (unsigned long long)c->refused,
	       (unsigned long long)c->hitter_passed,
	       (unsigned long long)c->hitter_refused);
	if (t->n_costs)
		printf(", \"least_ns\": %u, \"tenth_ns\": %u, \"median_ns\": %u",
		       t->cost_ns[0], t->cost_ns[t->n_costs / 10],
		       t->cost_ns[t->n_costs / 2]);
	printf("}");
}

static int run_threads(struct run *run)
{
	struct thread threads[THREADS_MAX] = { 0 };
	uint32_t started = 0;
	int err = 0;

	pthread_barrier_init(&run->start, NULL, (unsigned)run->threads);
	for (; started < run->threads; started++) {
		struct thread *t = &threads[started];

		*t = (struct thread){ .run = run, .cpu = started };
		t->cost_ns = calloc(COSTS_MAX, sizeof(*t->cost_ns));
		/* The others wait at the barrier: there is no way on. */
		if (!t->cost_ns ||
		    pthread_create(&t->id, NULL, thread_main, t) != 0)
			exit(3);
	}
	for (uint32_t i = 0; i < started; i++) {
		pthread_join(threads[i].id, NULL);
		if (threads[i].err && !err)
			err = fail("run", threads[i].err);
	}
	if (!err)
		err = print_evicted(run);
	for (uint32_t i = 0; i < started; i++) {
		if (!err)
			print_thread(&threads[i]);
		free(threads[i].cost_ns);
	}
	if (!err)
		printf("]}\n");
	return err;
}

static int read_number(const char *text, uint64_t least, uint64_t most,
		       uint64_t *value)
{
	uint64_t n;

	if (sl_number_parse(text, strlen(text), &n) || n < least || n > most)
		return -EINVAL;
	*value = n;
	return 0;
}

static int read_option(struct run *run, int option, const char *text)
{
	switch (option) {
	case 'b':
		return read_number(text, 1, UINT32_MAX, &run->spec.burst);
	case 's':
		run->spec.per_source = true;
		return 0;
	case 'l':
		return read_number(text, 0, LINES_LOG2_MAX, &run->lines_log2);
	case 'c':
		return read_number(text, 1, THREADS_MAX, &run->threads);
	case 't':
		return read_number(text, 1, MS_MAX, &run->ms);
	case 'w':
		return read_number(text, 0, MS_MAX, &run->warm_ms);
	case 'o':
		return read_number(text, 1, UINT32_MAX, &run->offer_pps);
	case 'n':
		return read_number(text, 1, UINT32_MAX, &run->count);
	case 'f':
		return read_number(text, FRAME_MIN, FRAME_MAX,
				   &run->frame_bytes);
	default:
		return -EINVAL;
	}
}

int main(int argc, char **argv)
{
	struct run run = { .spec = { .action = SL_ACTION_LIMIT,
				     .source4_bits = 32,
				     .source6_bits = 128 },
			   .lines_log2 = LINES_LOG2_MAX + 1,
			   .threads = 2,
			   .frame_bytes = 64,
			   .ms = 1000 };
	struct bpf_object *object = NULL;
	int option, err, cpus = libbpf_num_possible_cpus();

	while ((option = getopt(argc, argv, "b:sl:c:t:w:o:n:f:")) != -1)
		if (read_option(&run, option, optarg))
			argc = 0;
	if (argc - optind != 3 || cpus <= 0 ||
	    sl_rate_parse(argv[optind + 2], strlen(argv[optind + 2]),
			  &run.spec.rate)) {
		fprintf(stderr,
			"usage: limit-run [OPTION ...] OBJECT PROGRAM RATE\n");
		return 2;
	}
	run.object = argv[optind];
	run.program = argv[optind + 1];
	run.cpus = (uint32_t)cpus;
	if (load(&run, &object))
		return 3;
	err = run_threads(&run);
	bpf_object__close(object);
	return err ? 3 : 0;
}
