/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef SLUICE_TRACE_PAGE_H
#define SLUICE_TRACE_PAGE_H

#include <stdio.h>

struct sl_trace;
struct sl_trace_comparison;

/*
 * Writes an observation, or a comparison of two files, as one HTML page that needs
 * nothing but itself: SVG pictures, no script, light and dark by the reader's wish,
 * fit to print. 0, or -errno when the stream took not all of it or memory ran out.
 */
int sl_trace_page(const struct sl_trace *trace, FILE *out);
int sl_trace_comparison_page(const struct sl_trace_comparison *comparison,
			     const char *a, const char *b, FILE *out);

#endif /* SLUICE_TRACE_PAGE_H */
