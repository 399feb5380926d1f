// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "trace_histogram.h"

#include <ctype.h>
#include <stdio.h>

#include "trace_names.h"
#include "trace_sample.h"

/* `offset` is the histogram's in struct sl_trace_cpu. */
static size_t take(const struct sl_trace_sample *sum, size_t offset,
		   const char *what, const char *tail, const char *unit,
		   struct sl_trace_named *out)
{
	struct sl_trace_named n = { .unit = unit };

	for (uint32_t cpu = 0; cpu < sum->n_cpus; cpu++) {
		const struct sl_trace_histogram *h =
			(const void *)((const char *)&sum->cpus[cpu] + offset);

		n.sum.sum += h->sum;
		for (int k = 0; k < SL_TRACE_SLOTS; k++) {
			n.sum.slot[k] += h->slot[k];
			n.count += h->slot[k];
		}
	}
	snprintf(n.name, sizeof(n.name), "%s%s", what, tail);
	for (char *c = n.name; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	if (n.count)
		*out = n;
	return n.count ? 1 : 0;
}

#define OFFSET(member) offsetof(struct sl_trace_cpu, member)

size_t sl_trace_histograms(const struct sl_trace_sample *sum,
			   struct sl_trace_named named[SL_TRACE_NAMED_MAX])
{
	size_t step = sizeof(struct sl_trace_histogram), n = 0;

	n += take(sum, OFFSET(hard_irq), "hard_irq", "", "ns", &named[n]);
	for (size_t v = 0; v < SL_SOFTIRQ_COUNT; v++) {
		n += take(sum, OFFSET(softirq_wait) + v * step,
			  sl_trace_softirqs[v], "_wait", "ns", &named[n]);
		n += take(sum, OFFSET(softirq_time) + v * step,
			  sl_trace_softirqs[v], "", "ns", &named[n]);
	}
	n += take(sum, OFFSET(poll_time), "poll", "", "ns", &named[n]);
	for (size_t c = 0; c < SL_POLL_COUNT; c++)
		n += take(sum, OFFSET(poll_work) + c * step, "packets_of_poll_",
			  sl_trace_contexts[c], "packets", &named[n]);
	for (size_t v = 0; v < SL_VECTOR_COUNT; v++)
		n += take(sum, OFFSET(vector) + v * step, "irq_",
			  sl_trace_vectors[v], "ns", &named[n]);
	return n;
}

void sl_trace_slot(size_t k, uint64_t *low, uint64_t *high)
{
	*low = k ? 1ull << (k - 1) : 0;
	*high = k + 1 < SL_TRACE_SLOTS ? (1ull << k) - 1 : UINT64_MAX;
}

uint64_t sl_trace_quantile(const struct sl_trace_named *named, double part)
{
	uint64_t seen = 0, low, high;

	for (size_t k = 0; k < SL_TRACE_SLOTS; k++) {
		seen += named->sum.slot[k];
		if (!seen || (double)seen < part * (double)named->count)
			continue;
		sl_trace_slot(k, &low, &high);
		return high;
	}
	return 0;
}
