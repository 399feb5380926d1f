/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The tracing programs (xdp/trace.bpf.c): loaded, switched on and off, and read.
 * They count on every CPU and for every interface of the machine. One thread.
 */
#ifndef SLUICE_TRACER_H
#define SLUICE_TRACER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sluice/trace.h"

struct sl_error;
struct sl_tracer;

/* A NAPI instance, summed over the CPUs. */
struct sl_tracer_napi {
	struct sl_trace_key key;
	struct sl_trace_napi counts;
};

/* What the programs themselves have taken while they were timed. */
struct sl_tracer_cost {
	uint64_t run_ns;
	uint64_t runs;
	uint64_t missed; /* runs left out because the program was at work already */
};

/*
 * Loads the programs: the default six, or with `deep` all that this kernel has a
 * tracepoint for. They do not run yet. 0 and the caller's *tracer, to be closed with sl_tracer_close(), or -errno with a message.
 */
int sl_tracer_open(bool deep, struct sl_tracer **tracer,
		   struct sl_error *error);
void sl_tracer_close(struct sl_tracer *tracer); /* NULL is fine */

/*
 * On: all of them, or none and -errno with a message; takes 20 ms and more, until
 * what is counted can be told apart. Off cannot fail.
 */
int sl_tracer_start(struct sl_tracer *tracer, struct sl_error *error);
void sl_tracer_stop(struct sl_tracer *tracer);

/* The i-th tracepoint that this kernel has not, or NULL: there are no more. */
const char *sl_tracer_missing(const struct sl_tracer *tracer, size_t i);

/* Bit e: enum sl_trace_event e is counted. 0 without `deep`. */
uint32_t sl_tracer_events(const struct sl_tracer *tracer);

/* CPUs that there may be. */
uint32_t sl_tracer_cpus(const struct sl_tracer *tracer);

/* Reads what each CPU has counted: cpus[sl_tracer_cpus()]. 0 or -errno. */
int sl_tracer_read(const struct sl_tracer *tracer, struct sl_trace_cpu *cpus);

/*
 * Reads the instances into room for SL_TRACE_NAPIS. 0 and *n of them, or -errno.
 */
int sl_tracer_napis(const struct sl_tracer *tracer,
		    struct sl_tracer_napi *napis, size_t *n);

/*
 * Makes the kernel time every BPF program of the machine (BPF_ENABLE_STATS): two
 * readings of the clock a run, of the filter for each packet, so only for a moment.
 */
void sl_tracer_time(struct sl_tracer *tracer, bool on);

/* 0 or -errno. */
int sl_tracer_cost(const struct sl_tracer *tracer, struct sl_tracer_cost *cost);

#endif /* SLUICE_TRACER_H */
