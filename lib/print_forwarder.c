/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include "print.h"

#include <inttypes.h>

#include "config.h"
#include "keyword.h"
#include "quantity.h"

/* Runs of CPUs in the order written: 0-3,7 */
static void print_cpus(FILE *out, const struct sl_forwarder *f)
{
	size_t i = 0;

	while (i < f->n_cpus) {
		size_t n = 1;

		while (i + n < f->n_cpus && f->cpus[i + n] == f->cpus[i] + n)
			n++;
		fprintf(out, "%s%u", i ? "," : " cpus ", f->cpus[i]);
		if (n > 1)
			fprintf(out, "-%u", f->cpus[i + n - 1]);
		i += n;
	}
}

static void print_workers(FILE *out, const struct sl_forwarder *f)
{
	if (f->workers)
		fprintf(out, "\tworkers %u", f->workers);
	else
		fputs("\tworkers auto", out);
	print_cpus(out, f);
	putc('\n', out);
}

static void print_poll(FILE *out, const struct sl_forwarder *f)
{
	char text[SL_QUANTITY_TEXT];

	fprintf(out, "\tpoll %s", sl_poll_words[f->poll]);
	if (f->poll_budget)
		fprintf(out, " budget %u", f->poll_budget);
	if (f->poll_defer)
		fprintf(out, " defer %u", f->poll_defer);
	if (f->poll_timeout_ns) {
		sl_duration_format(f->poll_timeout_ns, text);
		fprintf(out, " timeout %s", text);
	}
	putc('\n', out);
}

static void print_stage(FILE *out, const struct sl_stage *stage)
{
	char text[SL_QUANTITY_TEXT];

	fprintf(out, "\t%s ", sl_stage_words[stage->kind]);
	if (stage->kind == SL_STAGE_POLICE) {
		sl_rate_format(stage->rate, text);
		fputs(text, out);
	} else if (stage->kind == SL_STAGE_MIRROR) {
		sl_print_word(out, stage->target);
	} else {
		sl_print_string(out, stage->target);
	}
	if (stage->sample)
		fprintf(out, " sample %" PRIu64, stage->sample);
	if (stage->rule) {
		fputs(" rule ", out);
		sl_print_word(out, stage->rule);
	}
	putc('\n', out);
}

void sl_print_forwarder(FILE *out, const struct sl_forwarder *f)
{
	if (!f->given)
		return;
	fputs("forwarder {\n", out);
	for (size_t i = 0; i < f->n_wires; i++) {
		fputs("\twire ", out);
		sl_print_word(out, f->wires[i].a);
		putc(' ', out);
		sl_print_word(out, f->wires[i].b);
		putc('\n', out);
	}
	if (f->route)
		fputs("\troute\n", out);
	print_workers(out, f);
	print_poll(out, f);
	fprintf(out, "\tzero-copy %s\n", sl_zerocopy_words[f->zerocopy]);
	for (size_t i = 0; i < f->n_stages; i++)
		print_stage(out, &f->stages[i]);
	fputs("}\n", out);
}
