/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The histograms of an observation, by name, summed over the CPUs. Any thread. */
#ifndef SLUICE_TRACE_HISTOGRAM_H
#define SLUICE_TRACE_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "sluice/trace.h"

struct sl_trace_sample;

struct sl_trace_named {
	char name[48];	  /* "net_rx_wait" */
	const char *unit; /* "ns" or "packets" */
	struct sl_trace_histogram sum;
	uint64_t count;
};

#define SL_TRACE_NAMED_MAX \
	(2 + 2 * SL_SOFTIRQ_COUNT + SL_POLL_COUNT + SL_VECTOR_COUNT)

/* Those that hold anything, in the order of a packet's way; how many. */
size_t sl_trace_histograms(const struct sl_trace_sample *sum,
			   struct sl_trace_named named[SL_TRACE_NAMED_MAX]);

/* What slot k holds: *low to *high, which is included. */
void sl_trace_slot(size_t k, uint64_t *low, uint64_t *high);

/* The value that `part` (0 to 1) of all lie below: the end of its slot, so up to
 * twice as much. 0: there are none. */
uint64_t sl_trace_quantile(const struct sl_trace_named *named, double part);

#endif /* SLUICE_TRACE_HISTOGRAM_H */
