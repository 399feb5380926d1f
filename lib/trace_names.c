// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "trace_names.h"

const char *const sl_trace_softirqs[SL_SOFTIRQ_COUNT] = {
#define X(id, name) name,
	SL_TRACE_SOFTIRQS(X)
#undef X
};

const char *const sl_trace_contexts[SL_POLL_COUNT] = {
#define X(id, name, help) name,
	SL_TRACE_CONTEXTS(X)
#undef X
};

const char *const sl_trace_vectors[SL_VECTOR_COUNT] = {
#define X(id, name) name,
	SL_TRACE_VECTORS(X)
#undef X
};
