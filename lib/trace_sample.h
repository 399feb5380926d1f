/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * All that `sluice trace` reads at one moment, and sums of what lies between two.
 * Of the kernel's counts only differences mean something: what is shown is always a
 * sum of differences. One thread.
 */
#ifndef SLUICE_TRACE_SAMPLE_H
#define SLUICE_TRACE_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pressure.h"
#include "trace_proc.h"
#include "tracer.h"

struct sl_trace_sample {
	uint64_t time_ns; /* CLOCK_MONOTONIC; of a sum the time in it */
	uint64_t packets;
	uint32_t n_cpus;
	struct sl_proc proc;
	struct sl_pressure_count *pressure; /* n_cpus of them */
	bool bpf;			    /* else the rest is 0 */
	struct sl_trace_cpu *cpus;	    /* likewise */
	uint32_t events;		    /* sl_tracer_events() */
	struct sl_tracer_napi *napis;
	size_t n_napis;
};

/*
 * An empty sum for so many CPUs, to be freed with sl_trace_sample_fini() in any
 * case. 0 or -ENOMEM.
 */
int sl_trace_sample_init(uint32_t n_cpus, struct sl_trace_sample *sample);
void sl_trace_sample_fini(struct sl_trace_sample *sample);

/*
 * Reads all but the packets, which the caller counts. `tracer` NULL: what the
 * kernel counts by itself. 0 and the caller's *sample, or -errno.
 */
int sl_trace_sample_read(struct sl_pressure *pressure,
			 const struct sl_tracer *tracer,
			 struct sl_trace_sample *sample);

/*
 * sum += after - before. An interrupt or a NAPI instance that was not there before
 * began at 0. 0, or -ENOMEM and the sum is to be thrown away.
 */
int sl_trace_sample_add(struct sl_trace_sample *sum,
			const struct sl_trace_sample *before,
			const struct sl_trace_sample *after);

/* The pressure on a CPU in all the time of a sum. */
struct sl_pressure_figure
sl_trace_sample_pressure(const struct sl_trace_sample *sum, uint32_t cpu,
			 uint64_t budget_ns);

#endif /* SLUICE_TRACE_SAMPLE_H */
