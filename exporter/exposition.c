// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "exposition.h"

#include <inttypes.h>
#include <string.h>

#include "lib/utf8.h"

/*
 * OpenMetrics names a family without the suffix of its samples and knows units and infos; the
 * older format names what the samples are called.
 */
void sl_exposition_family(struct sl_exposition *e, enum sl_metric_type type,
			  const char *name, const char *unit, const char *help)
{
	static const char *const suffixes[] = { "_total", "", "_info" };
	static const char *const open[] = { "counter", "gauge", "info" };
	static const char *const old[] = { "counter", "gauge", "gauge" };

	e->name = name;
	e->suffix = suffixes[type];
	e->labelled = false;
	if (e->open) {
		fprintf(e->out, "# TYPE %s %s\n", name, open[type]);
		if (*unit)
			fprintf(e->out, "# UNIT %s %s\n", name, unit);
		fprintf(e->out, "# HELP %s %s\n", name, help);
	} else {
		fprintf(e->out, "# HELP %s%s %s\n# TYPE %s%s %s\n", name,
			e->suffix, help, name, e->suffix, old[type]);
	}
}

/* Bytes from here that stand for themselves: most names are all of that. */
static size_t plain(const char *text)
{
	size_t n = 0;

	while (text[n] >= ' ' && text[n] <= '~' && text[n] != '"' &&
	       text[n] != '\\')
		n++;
	return n;
}

static void escape(FILE *out, const char *text)
{
	while (*text) {
		size_t n = plain(text);

		fwrite(text, 1, n, out);
		text += n;
		if (!*text)
			break;
		n = sl_utf8_printable(text, strlen(text));
		if (!n)
			fprintf(out, "\\\\x%02x", (unsigned char)*text);
		else if (n == 1)
			fprintf(out, "\\%c", *text);
		else
			fwrite(text, 1, n, out);
		text += n ? n : 1;
	}
}

static void begin_label(struct sl_exposition *e, const char *label)
{
	if (e->labelled)
		putc(',', e->out);
	else
		fprintf(e->out, "%s%s{", e->name, e->suffix);
	fputs(label, e->out);
	fputs("=\"", e->out);
	e->labelled = true;
}

void sl_exposition_label(struct sl_exposition *e, const char *label,
			 const char *value)
{
	begin_label(e, label);
	escape(e->out, value);
	putc('"', e->out);
}

void sl_exposition_number_label(struct sl_exposition *e, const char *label,
				uint64_t value)
{
	begin_label(e, label);
	fprintf(e->out, "%" PRIu64 "\"", value);
}

static void end_labels(struct sl_exposition *e)
{
	if (e->labelled)
		fputs("} ", e->out);
	else
		fprintf(e->out, "%s%s ", e->name, e->suffix);
	e->labelled = false;
}

void sl_exposition_count(struct sl_exposition *e, uint64_t value)
{
	end_labels(e);
	fprintf(e->out, "%" PRIu64 "\n", value);
}

void sl_exposition_real(struct sl_exposition *e, double value)
{
	end_labels(e);
	fprintf(e->out, "%.15g\n", value);
}

void sl_exposition_end(struct sl_exposition *e)
{
	if (e->open)
		fputs("# EOF\n", e->out);
}
