/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A sending thread: its program, its CPU, and its share of the bounds.
 */
#ifndef SLUICE_GEN_WORKER_H
#define SLUICE_GEN_WORKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct program;

/* Filled by the caller, who owns everything it points to. */
struct worker {
	struct program *program;
	const uint8_t *bytes;
	uint32_t length;
	uint32_t batch;
	unsigned int cpu;
	uint64_t rate_pps;    /* 0: as fast as it goes */
	uint64_t count;	      /* 0: no bound */
	uint64_t duration_ns; /* from start_ns */
	uint64_t start_ns;    /* CLOCK_MONOTONIC, the same for all */
	atomic_bool *stop;
	atomic_uint *running; /* one less when this one is done */
	/* What came of it, once it is done. */
	uint64_t end_ns;
	int error; /* 0 or -errno */
	pthread_t thread;
};

/*
 * Starts the thread with all signals blocked (a signal would cut a run short
 * at an unknown packet); 0 or -errno with no thread. pthread_join() it.
 */
int sl_gen_worker_start(struct worker *worker);

uint64_t sl_gen_worker_now_ns(void);

#endif /* SLUICE_GEN_WORKER_H */
