/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What sluice/trace.h counts, by name: the kernel's in /proc/softirqs, and JSON's keys. */
#ifndef SLUICE_TRACE_NAMES_H
#define SLUICE_TRACE_NAMES_H

#include "sluice/trace.h"

extern const char *const sl_trace_softirqs[SL_SOFTIRQ_COUNT];
extern const char *const sl_trace_contexts[SL_POLL_COUNT];
extern const char *const sl_trace_vectors[SL_VECTOR_COUNT];

#endif /* SLUICE_TRACE_NAMES_H */
