/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Pictures for the page of `sluice trace`: SVG within HTML, coloured by the classes
 * of the page's style, each with a <title> that says in words what it shows. What the
 * stream does not take is seen by ferror(). Any thread.
 */
#ifndef SLUICE_TRACE_SVG_H
#define SLUICE_TRACE_SVG_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "sluice/trace.h"

struct sl_trace_named;
struct sl_trace_spread;

/* Text in HTML: & < > " as entities. */
void sl_svg_text(FILE *out, const char *text);

/* A value for a reader: 1.50 us, 12 ms; or packets, or a plain number. NAN: a dash. */
void sl_svg_value(FILE *out, double value, const char *unit);

/* Columns over a logarithmic axis. */
void sl_svg_histogram(FILE *out, const struct sl_trace_named *histogram);

/* n values in the order of time, each a point; NANs are gaps. */
void sl_svg_line(FILE *out, const double *values, size_t n);

/* Parts of a whole, one bar; class c0, c1, ... */
void sl_svg_parts(FILE *out, const __u64 *parts, size_t n);

/* A share from 0 to 1 as a bar. */
void sl_svg_share(FILE *out, double share);

/* Medians and quartiles of two, on one scale. */
void sl_svg_pair(FILE *out, const struct sl_trace_spread *a,
		 const struct sl_trace_spread *b);

#endif /* SLUICE_TRACE_SVG_H */
