// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * classify-run [-c CPU] [-t TURNS | -n HEADERS] OBJECT TABLE CANDIDATE...   (root)
 *
 * Times what each candidate does with the headers of TABLE (64 bytes each,
 * from the IP header on; their number is a power of two), by BPF_PROG_TEST_RUN of `mix`
 * (OBJECT, mix.bpf.o). A CANDIDATE is the id of an XDP program, or the path of a
 * network namespace: its loopback then receives the packets, as live frames
 * that become skbs, so what hangs on its ingress hook is timed.
 *
 * Candidates take turns. In a turn one goes through some batches to warm its caches, as
 * they are when nobody else runs, and is then timed for some. Batch i has the
 * same headers for every program, and for every namespace, so times may be subtracted one by
 * one. Turns go on in the table where the last ended. With -n there are no turns: each
 * candidate takes the first HEADERS once, so that what they counted can be compared.
 *
 * Time is that of the thread on its CPU, system call included: the kernel's
 * own figure is in whole ns per packet, this one in 1/4096. What the call itself
 * costs is in each candidate's alike.
 *
 * A run registers its program with the kernel's XDP dispatcher, which waits for
 * two RCU grace periods unless it is registered already: so `mix` is attached,
 * to the loopback of a namespace that goes with this process.
 *
 * Prints {"waited": share of the time spent waiting for a CPU, "packets": [of each
 * candidate, warming too], "ns": [[per packet, one a timed batch], ...]}.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bench/classify/mix.h"

/* Linux 5.18; Debian 12's headers have it, older ones may not. */
#ifndef BPF_F_TEST_XDP_LIVE_FRAMES
#define BPF_F_TEST_XDP_LIVE_FRAMES (1U << 1)
#endif

#define LOOPBACK_IFINDEX 1
#define BATCH 4096u
/* Batches in a turn: of a program, a lap of 65,536 headers each. */
#define WARM_BATCHES 16u
#define TIMED_BATCHES 16u
/* A stack takes as long for one packet as a program for a hundred. */
#define BATCH_STACK 1024u
#define WARM_STACK 1u
#define TIMED_STACK 4u
#define TURNS_MAX 1024
#define HEADERS_MAX (1u << 24)
#define LIVE_BATCH 64 /* a NAPI poll's budget */

struct candidate {
	const char *name;
	__u32 slot;
	int program, netns; /* -1: none */
	__u32 batch;	    /* packets */
	__u32 warm, timed;  /* batches in a turn */
	double *ns;	    /* per packet, [turns * timed], in runner.ns */
};

struct runner {
	struct bpf_object *object;
	int mix, hold, home; /* descriptors: program, its link, namespace */
	struct mix_state *state;
	struct mix_header *headers;
	__u32 n_headers, turns;
	__u32 lap; /* headers, instead of turns; 0: turns */
	__u8 frame[MIX_FRAME_BYTES];
	struct candidate candidate[MIX_SLOTS];
	__u32 n_candidates;
	double *ns;
};

/* The error, which is never 0. */
static int fail(const char *what, int err)
{
	fprintf(stderr, "classify-run: %s: %s\n", what, strerror(-err));
	return err < 0 ? err : -EIO;
}

static int map_fd(const struct runner *r, const char *name)
{
	return bpf_object__find_map_fd_by_name(r->object, name);
}

/* NULL and errno on failure. */
static void *map_memory(int fd, size_t bytes)
{
	void *found =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return found == MAP_FAILED ? NULL : found;
}

static int load(struct runner *r, const char *path)
{
	struct bpf_map *map;
	int err;

	r->object = bpf_object__open_file(path, NULL);
	if (!r->object)
		return fail(path, -errno);
	map = bpf_object__find_map_by_name(r->object, "headers");
	err = map ? bpf_map__set_max_entries(map, r->n_headers) : -ENOENT;
	if (!err)
		err = bpf_object__load(r->object);
	if (err)
		return fail(path, err);
	r->mix = bpf_program__fd(
		bpf_object__find_program_by_name(r->object, "mix_xdp"));
	r->headers = map_memory(map_fd(r, "headers"),
				(size_t)r->n_headers * MIX_HEADER_BYTES);
	if (!r->headers)
		return fail("map the headers", -errno);
	r->state = map_memory(map_fd(r, ".bss"), sizeof(*r->state));
	if (!r->state)
		return fail("map the state", -errno);
	return 0;
}

static int open_table(struct runner *r, const char *path, int *table)
{
	struct stat status;
	__u64 n;

	*table = open(path, O_RDONLY | O_CLOEXEC);
	if (*table < 0 || fstat(*table, &status))
		return fail(path, -errno);
	n = (__u64)status.st_size / MIX_HEADER_BYTES;
	if (status.st_size % MIX_HEADER_BYTES || n < BATCH || n & (n - 1) ||
	    n > HEADERS_MAX)
		return fail(path, -EINVAL);
	r->n_headers = (__u32)n;
	return 0;
}

static int read_table(struct runner *r, const char *path, int table)
{
	size_t bytes = (size_t)r->n_headers * MIX_HEADER_BYTES, done = 0;
	const __u8 *first = (const __u8 *)r->headers;

	while (done < bytes) {
		ssize_t got =
			read(table, (__u8 *)r->headers + done, bytes - done);

		if (got <= 0)
			return fail(path, got ? -errno : -EIO);
		done += (size_t)got;
	}
	/* Two made-up MAC addresses, and the type of the first header. */
	memcpy(r->frame, "\2\0\0\0\0\2\2\0\0\0\0\1", 12);
	memcpy(r->frame + 12, first[0] >> 4 == 6 ? "\x86\xdd" : "\x08\x00", 2);
	return 0;
}

/* From here on this process is in a namespace of its own. */
static int hold(struct runner *r)
{
	DECLARE_LIBBPF_OPTS(bpf_link_create_opts, opts,
			    .flags = XDP_FLAGS_SKB_MODE);

	if (unshare(CLONE_NEWNET))
		return fail("a network namespace", -errno);
	r->home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (r->home < 0)
		return fail("the network namespace", -errno);
	r->hold = bpf_link_create(r->mix, LOOPBACK_IFINDEX, BPF_XDP, &opts);
	return r->hold < 0 ? fail("attach mix", r->hold) : 0;
}

/* The most batches that are timed of one candidate. */
static size_t most_batches(const struct runner *r)
{
	return r->lap ? r->lap / BATCH_STACK : (size_t)r->turns * TIMED_BATCHES;
}

static int add_candidate(struct runner *r, const char *name)
{
	struct candidate *c = &r->candidate[r->n_candidates];
	bool stack = name[0] == '/';
	int err;

	*c = (struct candidate){ .name = name,
				 .slot = stack ? MIX_STACK : r->n_candidates,
				 .program = -1,
				 .netns = -1,
				 .batch = stack ? BATCH_STACK : BATCH,
				 .warm = stack ? WARM_STACK : WARM_BATCHES,
				 .timed = stack ? TIMED_STACK : TIMED_BATCHES };
	if (r->lap) {
		c->warm = 0;
		c->timed = r->lap / c->batch;
	}
	c->ns = r->ns + r->n_candidates * most_batches(r);
	r->n_candidates++;
	if (stack) {
		c->netns = open(name, O_RDONLY | O_CLOEXEC);
		return c->netns < 0 ? fail(name, -errno) : 0;
	}
	c->program = bpf_prog_get_fd_by_id((__u32)strtoul(name, NULL, 10));
	if (c->program < 0)
		return fail(name, c->program);
	err = bpf_map_update_elem(map_fd(r, "programs"), &c->slot, &c->program,
				  BPF_ANY);
	return err ? fail(name, err) : 0;
}

static __u64 cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (__u64)now.tv_sec * 1000000000 + (__u64)now.tv_nsec;
}

/* The batch that begins with header `first`. */
static int run_batch(struct runner *r, const struct candidate *c, __u32 first,
		     double *ns)
{
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = r->frame,
			    .data_size_in = sizeof(r->frame),
			    .repeat = (int)c->batch);
	__u64 start;
	int err;

	if (c->slot == MIX_STACK) {
		opts.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
		opts.batch_size = LIVE_BATCH;
	}
	*(volatile struct mix_state *)r->state = (struct mix_state){
		.next = first, .mask = r->n_headers - 1, .slot = c->slot
	};
	start = cpu_ns();
	err = bpf_prog_test_run_opts(r->mix, &opts);
	*ns = (double)(cpu_ns() - start) / c->batch;
	if (err)
		return fail(c->name, err);
	/* mix says so where no program took over. Live frames have no answer. */
	if (c->slot != MIX_STACK && opts.retval == XDP_ABORTED)
		return fail(c->name, -ENOENT);
	return 0;
}

static int take_turn(struct runner *r, const struct candidate *c, __u32 turn)
{
	__u32 first = turn * (c->warm + c->timed) * c->batch;
	double ignored;
	int err = 0;

	if (setns(c->netns < 0 ? r->home : c->netns, CLONE_NEWNET))
		return fail(c->name, -errno);
	for (__u32 i = 0; !err && i < c->warm; i++)
		err = run_batch(r, c, first + i * c->batch, &ignored);
	first += c->warm * c->batch;
	for (__u32 i = 0; !err && i < c->timed; i++)
		err = run_batch(r, c, first + i * c->batch,
				&c->ns[turn * c->timed + i]);
	return err;
}

/* Nanoseconds for which this thread has waited for a CPU. */
static int waited_ns(__u64 *waited)
{
	FILE *file = fopen("/proc/thread-self/schedstat", "re");
	char line[128], *end = line;

	if (!file)
		return fail("schedstat", -errno);
	if (fgets(line, sizeof(line), file)) {
		strtoull(line, &end, 10); /* how long it ran */
		*waited = strtoull(end, &end, 10);
	}
	fclose(file);
	return end == line ? fail("schedstat", -EINVAL) : 0;
}

static void print(const struct runner *r, double waited)
{
	printf("{\"waited\": %.5f, \"packets\": [", waited);
	for (__u32 n = 0; n < r->n_candidates; n++) {
		const struct candidate *c = &r->candidate[n];

		printf("%s%u", n ? ", " : "",
		       r->turns * (c->warm + c->timed) * c->batch);
	}
	printf("], \"ns\": [");
	for (__u32 n = 0; n < r->n_candidates; n++) {
		const struct candidate *c = &r->candidate[n];

		printf("%s[", n ? "], " : "");
		for (__u32 i = 0; i < r->turns * c->timed; i++)
			printf("%s%.3f", i ? ", " : "", c->ns[i]);
	}
	puts("]]}");
}

static int measure(struct runner *r)
{
	__u64 waited_before, waited_after;
	struct timespec start, end;
	int err = waited_ns(&waited_before);

	clock_gettime(CLOCK_MONOTONIC, &start);
	for (__u32 turn = 0; !err && turn < r->turns; turn++)
		for (__u32 c = 0; !err && c < r->n_candidates; c++)
			err = take_turn(r, &r->candidate[c], turn);
	clock_gettime(CLOCK_MONOTONIC, &end);
	if (!err)
		err = waited_ns(&waited_after);
	if (!err)
		print(r, (double)(waited_after - waited_before) /
				 ((double)(end.tv_sec - start.tv_sec) * 1e9 +
				  (double)(end.tv_nsec - start.tv_nsec)));
	return err;
}

static void fini(struct runner *r)
{
	for (__u32 i = 0; i < r->n_candidates; i++) {
		struct candidate *c = &r->candidate[i];

		if (c->program >= 0)
			close(c->program);
		if (c->netns >= 0)
			close(c->netns);
	}
	free(r->ns);
	if (r->hold >= 0)
		close(r->hold);
	if (r->home >= 0)
		close(r->home);
	if (r->headers)
		munmap(r->headers, (size_t)r->n_headers * MIX_HEADER_BYTES);
	if (r->state)
		munmap(r->state, sizeof(*r->state));
	bpf_object__close(r->object);
}

static int run(struct runner *r, const char *object, const char *path,
	       char **candidates)
{
	int table = -1;
	int err = open_table(r, path, &table);

	if (!err)
		err = load(r, object);
	if (!err)
		err = read_table(r, path, table);
	if (table >= 0)
		close(table);
	r->ns = calloc(MIX_SLOTS * most_batches(r), sizeof(*r->ns));
	if (!err && !r->ns)
		err = fail("memory for the times", -ENOMEM);
	for (char **name = candidates; !err && *name; name++)
		err = add_candidate(r, *name);
	if (!err)
		err = hold(r);
	return err ? err : measure(r);
}

static int pin(long cpu)
{
	cpu_set_t set;

	if (cpu < 0 || cpu >= CPU_SETSIZE)
		return fail("-c", -EINVAL);
	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) ? fail("-c", -errno) : 0;
}

int main(int argc, char **argv)
{
	struct runner r = { .mix = -1, .hold = -1, .home = -1, .turns = 4 };
	int option, err = 0;

	while (!err && (option = getopt(argc, argv, "c:n:t:")) != -1) {
		if (option == 'c')
			err = pin(strtol(optarg, NULL, 10));
		else if (option == 'n')
			r.lap = (__u32)strtoul(optarg, NULL, 10);
		else if (option == 't')
			r.turns = (__u32)strtoul(optarg, NULL, 10);
		else
			return 2;
	}
	if (err)
		return 1;
	if (r.lap)
		r.turns = 1;
	if (argc - optind < 3 || argc - optind - 2 > MIX_SLOTS || !r.turns ||
	    r.turns > TURNS_MAX || r.lap % BATCH || r.lap > HEADERS_MAX) {
		fputs("usage: classify-run [-c CPU] [-t TURNS | -n HEADERS] OBJECT TABLE CANDIDATE...\n",
		      stderr);
		return 2;
	}
	err = run(&r, argv[optind], argv[optind + 1], argv + optind + 2);
	fini(&r);
	return err ? 1 : 0;
}
