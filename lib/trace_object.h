/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The compiled tracing programs, xdp/trace.bpf.c, carried inside the library. */
#ifndef SLUICE_TRACE_OBJECT_H
#define SLUICE_TRACE_OBJECT_H

extern const unsigned char sl_trace_object[];
extern const unsigned char sl_trace_object_end[];

#endif /* SLUICE_TRACE_OBJECT_H */
