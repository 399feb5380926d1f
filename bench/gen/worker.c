// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Pacing. Packets are due at start + n / rate. The thread sleeps to absolute
 * times, at least TICK_NS apart, and sends in one run what has become due, so
 * an oversleep is made good in the next run and no error adds up. A run costs
 * 11 us besides its packets (program.h), so a tick of 1 ms spends 1 % of a CPU
 * on itself; what it costs is a burst of rate / 1000 packets, a part of veth's
 * ring of 256 up to 250 kpps. Above that each batch is still polled by the
 * receiver before the next.
 *
 * Debt over CATCH_UP_NS (a stalled machine) is given up: sending it in one
 * burst would not be that rate. Then fewer packets are sent than rate x
 * duration, and the report says how many.
 *
 * Without a rate a run is as long as keeps the wait for a stop signal and for
 * the end of the duration under RUN_NS.
 */
#include "worker.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <time.h>

#include "program.h"

#define NS 1000000000ull
#define TICK_NS 1000000ull
#define CATCH_UP_NS 100000000ull
#define SLEEP_MAX_NS 50000000ull /* how long a stop may go unnoticed */
#define RUN_NS 20000000ull
#define RUN_FIRST 1024u
#define RUN_MAX (1u << 17)

uint64_t sl_gen_worker_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS + (uint64_t)now.tv_nsec;
}

static void sleep_until(uint64_t when_ns)
{
	struct timespec when = {
		.tv_sec = (time_t)(when_ns / NS),
		.tv_nsec = (long)(when_ns % NS),
	};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL);
}

static uint64_t lesser(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* value * numerator / denominator, without overflow in between. */
static uint64_t scale(uint64_t value, uint64_t numerator, uint64_t denominator)
{
	return (uint64_t)((unsigned __int128)value * numerator / denominator);
}

static bool stopped(const struct worker *w)
{
	return atomic_load_explicit(w->stop, memory_order_relaxed);
}

/* Runs `count` packets; -ENODEV when the device took none of some of them. */
static int send_some(struct worker *w, uint64_t count)
{
	uint64_t before = sl_gen_program_attempted(w->program);
	int err = sl_gen_program_run(w->program, w->bytes, w->length,
				     (uint32_t)count, w->batch);

	if (!err && sl_gen_program_attempted(w->program) - before != count)
		err = -ENODEV;
	return err;
}

static int send_paced(struct worker *w)
{
	uint64_t all = scale(w->duration_ns, w->rate_pps, NS);
	uint64_t start = w->start_ns, end = start + w->duration_ns;
	uint64_t behind = scale(CATCH_UP_NS, w->rate_pps, NS) + w->batch;
	uint64_t sent = 0, tick = start;
	int err = 0;

	if (w->count)
		all = lesser(all, w->count);
	while (!err && !stopped(w) && sent < all) {
		uint64_t now = sl_gen_worker_now_ns(), due, next;

		/* What is due by the end may still be sent a little after it. */
		if (now >= end + CATCH_UP_NS)
			break;
		due = lesser(now < start ?
				     0 :
				     scale(now - start, w->rate_pps, NS) + 1,
			     all);
		if (due > sent + behind) {
			start += scale(due - sent - behind, NS, w->rate_pps);
			due = sent + behind;
		}
		due = lesser(due, sent + RUN_MAX);
		if (due > sent) {
			err = send_some(w, due - sent);
			sent = due;
		}
		next = start + scale(sent, NS, w->rate_pps);
		tick = tick + TICK_NS > next ? tick + TICK_NS : next;
		if (tick + TICK_NS < now)
			tick = now; /* late already: no train of empty ticks */
		tick = lesser(tick, now + SLEEP_MAX_NS);
		if (sent < all)
			sleep_until(tick);
	}
	/* The last packet's time is part of the run: the rate comes out right. */
	while (!err && !stopped(w) &&
	       sl_gen_worker_now_ns() < start + scale(sent, NS, w->rate_pps))
		sleep_until(lesser(start + scale(sent, NS, w->rate_pps),
				   sl_gen_worker_now_ns() + SLEEP_MAX_NS));
	return err;
}

static int send_flat_out(struct worker *w)
{
	uint64_t end = w->start_ns + w->duration_ns, sent = 0, n, took, now;
	uint64_t size = RUN_FIRST;
	int err = 0;

	sleep_until(w->start_ns);
	now = sl_gen_worker_now_ns();
	while (!err && !stopped(w) && now < end &&
	       !(w->count && sent >= w->count)) {
		n = w->count ? lesser(size, w->count - sent) : size;
		err = send_some(w, n);
		took = sl_gen_worker_now_ns() - now;
		now += took;
		sent += n;
		/* As many as fit RUN_NS, or what is left of the time. */
		size = scale(n, lesser(RUN_NS, end > now ? end - now : 0),
			     took + 1);
		size = size < w->batch ? w->batch : lesser(size, RUN_MAX);
	}
	return err;
}

static void *work(void *argument)
{
	struct worker *w = argument;

	/* The default slack of 50 us is 5 % of a tick. */
	prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
	w->error = w->rate_pps ? send_paced(w) : send_flat_out(w);
	w->end_ns = sl_gen_worker_now_ns();
	atomic_fetch_sub(w->running, 1);
	return NULL;
}

int sl_gen_worker_start(struct worker *worker)
{
	sigset_t all, before;
	pthread_attr_t attr;
	cpu_set_t cpus;
	int err;

	CPU_ZERO(&cpus);
	CPU_SET(worker->cpu, &cpus);
	sigfillset(&all);
	err = pthread_attr_init(&attr);
	if (err)
		return -err;
	err = pthread_attr_setaffinity_np(&attr, sizeof(cpus), &cpus);
	if (!err) {
		pthread_sigmask(SIG_SETMASK, &all, &before);
		err = pthread_create(&worker->thread, &attr, work, worker);
		pthread_sigmask(SIG_SETMASK, &before, NULL);
	}
	pthread_attr_destroy(&attr);
	return -err;
}
