// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "trace_svg.h"

#include <math.h>
#include <string.h>

#include "trace_histogram.h"
#include "trace_metric.h"

/* Of a histogram, in its own units. */
#define WIDTH 340.0
#define HEIGHT 150.0
#define LEFT 8.0
#define TOP 16.0
#define BOTTOM 24.0

/* Of the small pictures in a table's row. */
#define SMALL_WIDTH 120.0
#define SMALL_HEIGHT 18.0

void sl_svg_text(FILE *out, const char *text)
{
	for (; *text; text++)
		switch (*text) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		default:
			fputc(*text, out);
		}
}

static void scaled(FILE *out, double value, const char *unit)
{
	fprintf(out,
		value < 10  ? "%.2f %s" :
		value < 100 ? "%.1f %s" :
			      "%.0f %s",
		value, unit);
}

static void time_text(FILE *out, double ns)
{
	static const char *const units[] = { "ns", "µs", "ms", "s" };
	size_t i = 0;

	for (; ns >= 1000 && i < 3; i++)
		ns /= 1000;
	scaled(out, ns, units[i]);
}

void sl_svg_value(FILE *out, double value, const char *unit)
{
	if (isnan(value))
		fputs("–", out);
	else if (strcmp(unit, "ns") == 0)
		time_text(out, value);
	else if (value == 0 || fabs(value) >= 100)
		fprintf(out, "%.0f", value);
	else
		fprintf(out, fabs(value) >= 10 ? "%.1f" : "%.4f", value);
}

/* The label below a column: what it begins with. */
static void tick(FILE *out, double x, size_t slot, const char *unit)
{
	uint64_t low, high;
	double value;

	sl_trace_slot(slot, &low, &high);
	value = (double)low;

	fprintf(out,
		"<text class=\"axis\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">",
		x, HEIGHT - 8);
	if (strcmp(unit, "ns") != 0)
		fprintf(out, "%.0f", value);
	else if (value < 1000)
		fprintf(out, "%.0f ns", value);
	else if (value < 1e6)
		fprintf(out, "%.0f µs", value / 1e3);
	else
		fprintf(out, value < 1e9 ? "%.0f ms" : "%.0f s",
			value / (value < 1e9 ? 1e6 : 1e9));
	fputs("</text>", out);
}

static void column(FILE *out, double x, double width, double height,
		   const struct sl_trace_named *h, size_t slot)
{
	uint64_t low, high;

	sl_trace_slot(slot, &low, &high);
	fprintf(out,
		"<rect class=\"bar\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
		"height=\"%.1f\"><title>%llu to %llu %s: %llu</title></rect>",
		x, HEIGHT - BOTTOM - height, width, height,
		(unsigned long long)low, (unsigned long long)high, h->unit,
		(unsigned long long)h->sum.slot[slot]);
}

/* The first and the last slot with something in it, and the most in one. */
static uint64_t extent(const struct sl_trace_named *h, size_t *first,
		       size_t *last)
{
	uint64_t most = 0;

	*first = SL_TRACE_SLOTS - 1;
	*last = 0;
	for (size_t k = 0; k < SL_TRACE_SLOTS; k++) {
		if (!h->sum.slot[k])
			continue;
		*first = k < *first ? k : *first;
		*last = k;
		most = h->sum.slot[k] > most ? h->sum.slot[k] : most;
	}
	/* At least eight, so that a single column is no slab. */
	while (most && *last - *first < 7) {
		*first -= *first > 0;
		*last += *last + 1 < SL_TRACE_SLOTS;
	}
	return most;
}

void sl_svg_histogram(FILE *out, const struct sl_trace_named *h)
{
	double room = HEIGHT - TOP - BOTTOM, step;
	size_t first, last, every;
	uint64_t most = extent(h, &first, &last);

	if (!most)
		return;
	step = (WIDTH - 2 * LEFT) / (double)(last - first + 1);
	every = (last - first) / 6 + 1;
	fprintf(out, "<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\"><title>",
		WIDTH, HEIGHT);
	sl_svg_text(out, h->name);
	fprintf(out,
		": %llu values</title><text class=\"axis\" x=\"%.0f\" y=\"11\">"
		"highest column: %llu</text>",
		(unsigned long long)h->count, LEFT, (unsigned long long)most);
	for (size_t k = first; k <= last; k++) {
		double x = LEFT + (double)(k - first) * step;
		double height = room * (double)h->sum.slot[k] / (double)most;

		if (h->sum.slot[k])
			column(out, x + 1, step - 2, fmax(height, 1), h, k);
		if ((k - first) % every == 0)
			tick(out, x + step / 2, k, h->unit);
	}
	fprintf(out,
		"<line class=\"rule\" x1=\"%.0f\" x2=\"%.0f\" y1=\"%.1f\" "
		"y2=\"%.1f\"/></svg>\n",
		LEFT, WIDTH - LEFT, HEIGHT - BOTTOM, HEIGHT - BOTTOM);
}

static void small(FILE *out, const char *title)
{
	fprintf(out,
		"<svg class=\"small\" viewBox=\"0 0 %.0f %.0f\" role=\"img\">"
		"<title>%s</title>",
		SMALL_WIDTH, SMALL_HEIGHT, title);
}

/* Where a value stands between the ends of a scale, in the picture's units. */
static double place(double value, double low, double high, double room)
{
	return high > low ? room * (value - low) / (high - low) : room / 2;
}

void sl_svg_line(FILE *out, const double *values, size_t n)
{
	double low = INFINITY, high = -INFINITY, x, y;

	for (size_t i = 0; i < n; i++) {
		low = fmin(low, values[i]); /* a NAN is passed over */
		high = fmax(high, values[i]);
	}
	if (n < 2 || isinf(low))
		return;
	small(out, "the intervals, from the least to the greatest");
	for (size_t i = 0; i < n; i++) {
		if (isnan(values[i]))
			continue;
		x = 3 + (SMALL_WIDTH - 6) * (double)i / (double)(n - 1);
		y = SMALL_HEIGHT - 3 -
		    place(values[i], low, high, SMALL_HEIGHT - 6);
		fprintf(out,
			"<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"2\"/>",
			x, y);
	}
	fputs("</svg>", out);
}

void sl_svg_parts(FILE *out, const __u64 *parts, size_t n)
{
	uint64_t whole = 0;
	double x = 0;

	for (size_t i = 0; i < n; i++)
		whole += parts[i];
	if (!whole)
		return;
	small(out, "parts of the whole");
	for (size_t i = 0; i < n; i++) {
		double width = SMALL_WIDTH * (double)parts[i] / (double)whole;

		if (parts[i])
			fprintf(out,
				"<rect class=\"c%zu\" x=\"%.1f\" y=\"3\" "
				"width=\"%.1f\" height=\"12\"/>",
				i, x, fmax(width, 0.5));
		x += width;
	}
	fputs("</svg>", out);
}

void sl_svg_share(FILE *out, double share)
{
	small(out, "of 0 to 1");
	fprintf(out,
		"<rect class=\"ground\" x=\"0\" y=\"4\" width=\"%.0f\" "
		"height=\"10\"/><rect class=\"bar\" x=\"0\" y=\"4\" "
		"width=\"%.1f\" height=\"10\"/></svg>",
		SMALL_WIDTH,
		SMALL_WIDTH * (share > 1 ? 1 :
			       share > 0 ? share :
					   0));
}

static void one_of_pair(FILE *out, const struct sl_trace_spread *s, double low,
			double high, double y, int class)
{
	double room = SMALL_WIDTH - 6;

	if (!s->n)
		return;
	fprintf(out,
		"<line class=\"s%d\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" "
		"y2=\"%.1f\"/><circle class=\"c%d\" cx=\"%.1f\" cy=\"%.1f\" "
		"r=\"3\"/>",
		class, 3 + place(s->low, low, high, room),
		3 + place(s->high, low, high, room), y, y, class,
		3 + place(s->median, low, high, room), y);
}

void sl_svg_pair(FILE *out, const struct sl_trace_spread *a,
		 const struct sl_trace_spread *b)
{
	double low = fmin(a->low, b->low), high = fmax(a->high, b->high);

	if (isnan(low))
		return;
	small(out, "medians and quartiles: A above, B below");
	one_of_pair(out, a, low, high, 5, 0);
	one_of_pair(out, b, low, high, 13, 1);
	fputs("</svg>", out);
}
