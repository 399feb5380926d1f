// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * sluice-gen: sends packets out of an interface from inside the kernel.
 *
 *   options -> device -> frame or replay -> one program and thread per CPU
 *           -> wait for the bounds -> what the device says it has sent
 *
 * The kernel copies a frame into pages of a page pool and runs gen.bpf.c on
 * each, which writes the headers and redirects it to the device: its driver's
 * ndo_xdp_xmit sends it, without a socket, an skb or a queueing discipline.
 */
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "device.h"
#include "frame.h"
#include "options.h"
#include "program.h"
#include "replay.h"
#include "report.h"
#include "worker.h"

enum { EXIT_DONE, EXIT_INPUT, EXIT_USAGE, EXIT_SYSTEM };

#define POLL_NS 20000000ull
/* Enough packets and time to tell a device that sends none from a slow one. */
#define BLOCKED_NS 300000000ull
#define BLOCKED_PACKETS 256
/* How long a NIC may take to bring its counters up to date. */
#define SETTLE_NS 2500000000ull
/* From the start of the threads to their first packet. */
#define HEAD_START_NS 2000000ull

struct run {
	struct options options;
	struct device device;
	struct device_counters before;
	struct frame frame;
	struct replay replay;
	struct worker workers[OPTIONS_THREADS_MAX];
	size_t n_workers; /* with a program; `started` of them with a thread */
	size_t started;
	atomic_bool stop;
	atomic_uint running;
	struct report report;
};

static int check_device(struct run *run)
{
	const char *name = run->options.interface;
	int err = sl_gen_device_open(name, &run->device);

	if (err) {
		fprintf(stderr,
			"sluice-gen: %s: %s; `ip link` lists the interfaces of this "
			"network namespace\n",
			name, strerror(-err));
		return err == -ENODEV || err == -ENXIO ? EXIT_INPUT :
							 EXIT_SYSTEM;
	}
	if (!run->device.ethernet) {
		fprintf(stderr, "sluice-gen: %s: not an Ethernet interface\n",
			name);
		return EXIT_INPUT;
	}
	if (!run->device.up) {
		fprintf(stderr,
			"sluice-gen: %s: it is down; `ip link set %s up`\n",
			name, name);
		return EXIT_INPUT;
	}
	if (!run->options.force &&
	    sl_gen_device_has_default_route(&run->device)) {
		fprintf(stderr,
			"sluice-gen: %s: the default route leads out of it, so a flood "
			"may cut this machine off; name another interface, or add "
			"--force\n",
			name);
		return EXIT_INPUT;
	}
	return EXIT_DONE;
}

/* The longest frame for both the kernel's pages and the device's MTU. */
static int frame_limit(const struct run *run, uint32_t *limit)
{
	/* As xdp_ok_fwd_dev() in net/core/filter.c: one tag may be on top. */
	uint32_t mtu_limit = run->device.mtu + 14 + 4;
	int err = sl_gen_program_longest_frame(limit, stderr);

	if (err)
		return EXIT_SYSTEM;
	if (mtu_limit < *limit)
		*limit = mtu_limit;
	return EXIT_DONE;
}

static int prepare_frames(struct run *run)
{
	const struct options *o = &run->options;
	uint32_t limit = 0;
	int status = frame_limit(run, &limit);

	if (status)
		return status;
	if (o->pcap)
		return sl_gen_replay_init(&run->replay, o->pcap, limit,
					  stderr) ?
			       EXIT_INPUT :
			       EXIT_DONE;
	if (o->size_bytes > limit) {
		fprintf(stderr,
			"sluice-gen: --size %u: %s takes up to %u (its MTU is %u; a live "
			"frame is part of a page)\n",
			o->size_bytes, run->device.name, limit,
			run->device.mtu);
		return EXIT_INPUT;
	}
	if (o->size_bytes && o->size_bytes < sl_gen_frame_shortest(o)) {
		fprintf(stderr,
			"sluice-gen: --size %u: the headers alone take %u bytes\n",
			o->size_bytes, sl_gen_frame_shortest(o));
		return EXIT_INPUT;
	}
	if (sl_gen_frame_init(&run->frame, o, run->device.mac)) {
		fputs("sluice-gen: out of memory\n", stderr);
		return EXIT_SYSTEM;
	}
	return EXIT_DONE;
}

/* The CPUs the threads go to: as given, or the first that are allowed. */
static int choose_cpus(struct options *o)
{
	cpu_set_t allowed;

	if (sched_getaffinity(0, sizeof(allowed), &allowed)) {
		fprintf(stderr, "sluice-gen: read the CPU affinity: %s\n",
			strerror(errno));
		return EXIT_SYSTEM;
	}
	for (size_t i = 0; i < o->n_cpus; i++) {
		if (o->cpus[i] >= CPU_SETSIZE ||
		    !CPU_ISSET(o->cpus[i], &allowed)) {
			fprintf(stderr,
				"sluice-gen: --cpus: CPU %u is not one this process may "
				"run on (taskset -p shows them)\n",
				o->cpus[i]);
			return EXIT_INPUT;
		}
	}
	if (o->n_cpus)
		return EXIT_DONE;
	for (unsigned int cpu = 0; cpu < CPU_SETSIZE && o->n_cpus < o->threads;
	     cpu++)
		if (CPU_ISSET(cpu, &allowed))
			o->cpus[o->n_cpus++] = cpu;
	if (o->n_cpus < o->threads) {
		fprintf(stderr,
			"sluice-gen: --threads %u: this process may run on %zu CPUs, and "
			"each thread needs its own\n",
			o->threads, o->n_cpus);
		return EXIT_INPUT;
	}
	return EXIT_DONE;
}

/* The part of `whole` for one of `parts`: they add up. */
static uint64_t share(uint64_t whole, size_t index, size_t parts)
{
	return whole / parts + (index < whole % parts);
}

static struct gen_config worker_config(const struct run *run, uint32_t index)
{
	struct gen_config config = run->frame.config;

	config.first = index;
	config.step = run->options.threads;
	if (run->replay.count) {
		config.frames = run->replay.count;
		config.frame_bytes = run->replay.longest;
		config.step %= config.frames;
	}
	return config;
}

/* Any number but 0, different in each thread. */
static uint64_t worker_seed(const struct options *o, uint32_t index)
{
	uint64_t seed = o->seed ? o->seed : sl_gen_worker_now_ns();

	seed ^= (uint64_t)index * 0x9e3779b97f4a7c15ull;
	return seed ? seed : 1;
}

static int prepare_worker(struct run *run, uint32_t index)
{
	const struct options *o = &run->options;
	struct worker *w = &run->workers[index];
	struct program_options options = {
		.config = worker_config(run, index),
		.replay = run->replay.count ? &run->replay : NULL,
		.ifindex = run->device.ifindex,
		.device = run->device.name,
		.seed = worker_seed(o, index),
	};
	int err = sl_gen_program_open(&w->program, &options, stderr);

	if (err)
		return EXIT_SYSTEM;
	run->n_workers++;
	err = sl_gen_program_hold(w->program);
	if (err && o->rate_pps)
		fprintf(stderr,
			"sluice-gen: warning: keep the program registered: %s; packets "
			"will come in bursts some 24 ms apart\n",
			strerror(-err));
	w->length = run->replay.count ? run->replay.longest : run->frame.length;
	w->bytes = run->frame.bytes;
	w->batch = o->batch;
	w->cpu = o->cpus[index];
	w->rate_pps = share(o->rate_pps, index, o->threads);
	w->count = share(o->count, index, o->threads);
	w->duration_ns = o->duration_ns;
	w->stop = &run->stop;
	w->running = &run->running;
	return EXIT_DONE;
}

static int prepare_workers(struct run *run)
{
	int status = choose_cpus(&run->options);

	if (!status && run->replay.count) {
		/* Only its length matters: each frame is written whole. */
		run->frame.bytes = calloc(1, run->replay.longest);
		if (!run->frame.bytes)
			status = EXIT_SYSTEM;
	}
	for (uint32_t i = 0; !status && i < run->options.threads; i++)
		status = prepare_worker(run, i);
	return status;
}

static int start_workers(struct run *run)
{
	uint64_t start = sl_gen_worker_now_ns() + HEAD_START_NS;

	atomic_store(&run->running, (unsigned int)run->n_workers);
	for (size_t i = 0; i < run->n_workers; i++) {
		int err;

		run->workers[i].start_ns = start;
		err = sl_gen_worker_start(&run->workers[i]);
		if (err) {
			fprintf(stderr,
				"sluice-gen: start a thread on CPU %u: %s\n",
				run->workers[i].cpu, strerror(-err));
			atomic_store(&run->stop, true);
			return EXIT_SYSTEM;
		}
		run->started++;
	}
	return EXIT_DONE;
}

static uint64_t attempted(const struct run *run)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < run->n_workers; i++)
		sum += sl_gen_program_attempted(run->workers[i].program);
	return sum;
}

/* Fills in what the device has counted since the start. */
static void count_sent(struct run *run)
{
	struct device_counters now;

	if (sl_gen_device_count(&run->device, &now))
		return; /* it is gone: what was last read stands */
	run->report.transmitted = now.sent - run->before.sent;
	run->report.refused = now.refused - run->before.refused;
	run->report.exact = now.exact;
}

/* The live line before, and when the next is due; times from the start. */
struct live {
	uint64_t at_ns, due_ns, sent;
};

static void print_live(struct run *run, uint64_t elapsed_ns, struct live *live)
{
	uint64_t sent = attempted(run), interval_ns = run->options.stats_ns;

	if (!interval_ns || elapsed_ns < live->due_ns)
		return;
	count_sent(run);
	fprintf(stderr,
		"%s: %.3f s, %" PRIu64 " packets, %.0f pps, %" PRIu64
		" transmitted\n",
		run->device.name, (double)elapsed_ns / 1e9, sent,
		(double)(sent - live->sent) * 1e9 /
			(double)(elapsed_ns - live->at_ns),
		run->report.transmitted);
	live->at_ns = elapsed_ns;
	live->sent = sent;
	live->due_ns = (elapsed_ns / interval_ns + 1) * interval_ns;
}

/* A device that sends nothing at all: no need to go on to the bounds. */
static bool is_blocked(struct run *run, uint64_t elapsed_ns)
{
	if (elapsed_ns < BLOCKED_NS || attempted(run) < BLOCKED_PACKETS ||
	    !run->before.exact)
		return false;
	count_sent(run);
	return run->report.exact && !run->report.transmitted;
}

static void wait_for_end(struct run *run, const sigset_t *signals)
{
	const struct timespec pause = { .tv_nsec = POLL_NS };
	uint64_t start = run->workers[0].start_ns, now;
	struct live live = { .due_ns = run->options.stats_ns };
	bool checked = false;

	while (atomic_load(&run->running)) {
		if (sigtimedwait(signals, NULL, &pause) > 0) {
			run->report.end = REPORT_SIGNAL;
			break;
		}
		now = sl_gen_worker_now_ns();
		if (now <= start)
			continue;
		if (!checked && now - start >= BLOCKED_NS) {
			checked = true;
			if (is_blocked(run, now - start)) {
				run->report.end = REPORT_BLOCKED;
				break;
			}
		}
		print_live(run, now - start, &live);
	}
	atomic_store(&run->stop, true);
}

static void settle(struct run *run)
{
	const struct timespec pause = { .tv_nsec = POLL_NS };
	uint64_t end = sl_gen_worker_now_ns() + SETTLE_NS;

	count_sent(run);
	while (!run->report.exact &&
	       run->report.transmitted < run->report.attempted &&
	       sl_gen_worker_now_ns() < end) {
		nanosleep(&pause, NULL);
		count_sent(run);
	}
}

static int collect(struct run *run)
{
	struct report *report = &run->report;
	uint64_t end_ns = run->workers[0].start_ns;
	int status = EXIT_DONE;

	for (size_t i = 0; i < run->started; i++) {
		struct worker *w = &run->workers[i];

		pthread_join(w->thread, NULL);
		if (w->end_ns > end_ns)
			end_ns = w->end_ns;
		report->bytes += sl_gen_program_bytes(w->program);
		if (w->error) {
			fprintf(stderr, "sluice-gen: %s: send on CPU %u: %s\n",
				run->device.name, w->cpu,
				w->error == -ENODEV ?
					"the interface went away" :
					strerror(-w->error));
			report->end = REPORT_ERROR;
			status = EXIT_SYSTEM;
		}
	}
	report->attempted = attempted(run);
	report->elapsed_ns = end_ns - run->workers[0].start_ns;
	if (report->end == REPORT_DURATION && run->options.count &&
	    report->attempted == run->options.count)
		report->end = REPORT_COUNT;
	settle(run);
	return status;
}

static int explain_nothing(const struct run *run)
{
	const char *name = run->device.name;

	fprintf(stderr,
		"sluice-gen: %s: none of %" PRIu64 " packets was sent; ", name,
		run->report.attempted);
	if (run->device.veth)
		/* veth's feature flag follows GRO only where it changes on an open device. */
		fprintf(stderr,
			"the other end of a veth takes XDP frames only with an XDP program "
			"or with GRO switched on while both ends are up: `ethtool -K PEER "
			"gro off; ethtool -K PEER gro on`\n");
	else
		fprintf(stderr,
			"its driver may have no ndo_xdp_xmit, or send XDP frames only "
			"while an XDP program is attached to %s\n",
			name);
	return EXIT_SYSTEM;
}

static int send_all(struct run *run)
{
	sigset_t signals;
	int status, printed;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	run->report = (struct report){
		.device = &run->device,
		.replay = run->replay.count ? &run->replay : NULL,
		.workers = run->workers,
		.n_workers = run->n_workers,
		.end = REPORT_DURATION,
		.batch = run->options.batch,
	};
	if (sl_gen_device_count(&run->device, &run->before)) {
		fprintf(stderr, "sluice-gen: %s: its counters cannot be read\n",
			run->device.name);
		return EXIT_SYSTEM;
	}
	status = start_workers(run);
	if (!status)
		wait_for_end(run, &signals);
	if (collect(run))
		status = EXIT_SYSTEM;
	printed = run->options.json ?
			  sl_gen_report_print_json(&run->report, stdout) :
			  sl_gen_report_print_text(&run->report, stdout);
	if (fflush(stdout) || printed) {
		fputs("sluice-gen: write the result: the output is closed or full\n",
		      stderr);
		status = EXIT_SYSTEM;
	}
	if (!status && run->report.attempted && !run->report.transmitted)
		status = explain_nothing(run);
	return status;
}

static void release(struct run *run)
{
	for (size_t i = 0; i < run->n_workers; i++)
		sl_gen_program_close(&run->workers[i].program);
	sl_gen_frame_fini(&run->frame);
	sl_gen_replay_fini(&run->replay);
}

int main(int argc, char **argv)
{
	struct run run = { 0 };
	int status;

	if (sl_gen_options_parse(argc, argv, &run.options, stderr))
		return EXIT_USAGE;
	if (run.options.help) {
		sl_gen_options_help(stdout);
		return EXIT_DONE;
	}
	status = check_device(&run);
	if (!status)
		status = prepare_frames(&run);
	if (!status)
		status = prepare_workers(&run);
	if (!status)
		status = send_all(&run);
	release(&run);
	return status;
}
