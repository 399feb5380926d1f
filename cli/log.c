// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cli.h"
#include "filters.h"
#include "options.h"
#include "outfile.h"
#include "sampled.h"
#include "signals.h"
#include "lib/error.h"
#include "lib/jsontext.h"
#include "lib/observe.h"
#include "lib/pcapng.h"
#include "lib/samples.h"
#include "lib/summary.h"

#define POLL_MS 500
#define ENOUGH 1 /* what ends the reading: --count */

/* The names of all log rules and of the deciding one, quoted. */
#define NAMES_BYTES ((SL_LOG_RULES + 1) * (SL_NAME_BYTES + 4) + 32)

struct output {
	bool json;
	const char *path;      /* of the pcapng file; NULL: lines on stdout */
	const char *rule;      /* only its samples; NULL: all */
	unsigned long count;   /* samples to go; 0: no bound */
	unsigned long written; /* so far */
	FILE *file;	       /* the pcapng file, or stdout */
	int err;	       /* of writing */
};

/* `log "a", "b": drop, rule "c"` */
static void verdict_text(const struct sl_sample *sample, char *text,
			 size_t bytes)
{
	const struct sl_log_record *r = sample->record;
	size_t used = (size_t)snprintf(text, bytes, "log");

	for (size_t i = 0; i < sample->n_logs; i++)
		used += (size_t)snprintf(text + used, bytes - used,
					 sample->logs[i] ? "%s \"%s\"" : "%s ?",
					 i ? "," : "", sample->logs[i]);
	used += (size_t)snprintf(text + used, bytes - used, ": %s, %s",
				 sl_verdict_text(r->verdict),
				 sl_reason_text(r->reason));
	if (sample->rule)
		snprintf(text + used, bytes - used, " \"%s\"", sample->rule);
}

static int write_text(struct output *o, const struct sl_sample *sample)
{
	const struct sl_log_record *r = sample->record;
	char when[SL_SUMMARY_TIME], verdict[NAMES_BYTES],
		summary[SL_SUMMARY_BYTES];

	sl_summary_time(sample->time_ns, when);
	verdict_text(sample, verdict, sizeof(verdict));
	sl_summary_write(r->head, r->head_bytes, summary);
	fprintf(o->file, "%s %s %s, %u bytes, %s\n", when, sample->interface,
		verdict, r->frame_bytes, summary);
	return ferror(o->file) ? -EIO : 0;
}

static int write_json(struct output *o, const struct sl_sample *sample)
{
	const struct sl_log_record *r = sample->record;
	char when[SL_SUMMARY_TIME], head[2 * SL_LOG_HEAD + 1] = "";
	json_t *object;

	sl_summary_time(sample->time_ns, when);
	for (size_t i = 0; i < r->head_bytes; i++)
		snprintf(head + 2 * i, 3, "%02x", r->head[i]);
	object = json_pack(
		"{s:s, s:o, s:I, s:I, s:o, s:s, s:s, s:s?, s:I, s:s}", "time",
		when, "interface", sl_json_text(sample->interface), "queue",
		(json_int_t)r->rx_queue, "generation",
		(json_int_t)r->generation, "logs",
		cli_sampled_logs_json(sample->logs, sample->n_logs), "verdict",
		sl_verdict_text(r->verdict), "reason",
		sl_reason_text(r->reason), "rule", sample->rule, "bytes",
		(json_int_t)r->frame_bytes, "head", head);
	return cli_write_json(object, o->file);
}

static int write_pcapng(struct output *o, const struct sl_sample *sample)
{
	const struct sl_log_record *r = sample->record;
	char verdict[NAMES_BYTES], comment[NAMES_BYTES + 40];
	struct sl_pcapng_packet packet = {
		.interface = (uint32_t)sample->interface_index,
		.queue = r->rx_queue,
		.time_ns = sample->time_ns,
		.bytes = r->head,
		.captured_bytes = r->head_bytes,
		.frame_bytes = r->frame_bytes,
		.xdp_action = sl_pcapng_action(r->verdict),
		.comment = comment,
	};

	verdict_text(sample, verdict, sizeof(verdict));
	snprintf(comment, sizeof(comment), "%s, generation %llu", verdict,
		 (unsigned long long)r->generation);
	return sl_pcapng_packet(o->file, &packet);
}

static int write_sample(void *context, const struct sl_sample *sample)
{
	struct output *o = context;

	if (o->rule && !cli_sampled_by(o->rule, sample->rule, sample->logs,
				       sample->n_logs))
		return 0;
	if (o->path)
		o->err = write_pcapng(o, sample);
	else if (o->json)
		o->err = write_json(o, sample);
	else
		o->err = write_text(o, sample);
	if (o->err)
		return ENOUGH;
	return ++o->written == o->count ? ENOUGH : 0;
}

static void begin_output(struct output *o, char (*names)[IF_NAMESIZE], size_t n)
{
	int err;

	if (!o->path)
		return;
	err = cli_outfile_begin(o->file);
	if (!err)
		err = sl_pcapng_section(o->file);
	for (size_t i = 0; i < n && !err; i++)
		err = sl_pcapng_interface(o->file, names[i], SL_LOG_HEAD);
	o->err = err;
}

static int close_output(struct output *o)
{
	if (fflush(o->file) != 0)
		o->err = -EIO;
	if (o->file != stdout && fclose(o->file) != 0)
		o->err = -EIO;
	if (o->err)
		return cli_fail(-EIO, "cannot write the samples");
	return CLI_OK;
}

/*
 * Until enough were written, no filter is left, or a signal came: then what the
 * rings hold is written, too.
 */
static int read_all(struct sl_samples *samples, struct output *o)
{
	struct sl_error error = { "" };
	int err = 0;

	while (!err && !o->err && !cli_stopped()) {
		err = sl_samples_poll(samples, POLL_MS, write_sample, o,
				      &error);
		if (fflush(o->file) != 0)
			o->err = -EIO;
	}
	if (!err && !o->err)
		err = sl_samples_drain(samples, write_sample, o, &error);
	if (err == -ENODATA)
		fputs("sluice: no filter is left to read from\n", stderr);
	else if (err < 0)
		return cli_fail(err, error.text);
	return CLI_OK;
}

static void report_lost(const struct sl_samples *samples,
			char (*names)[IF_NAMESIZE], size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t lost = sl_samples_lost(samples, i);

		if (lost)
			fprintf(stderr,
				"sluice: %s: %llu samples lost since the "
				"filter was attached: the ring was full\n",
				names[i], (unsigned long long)lost);
	}
}

static int read_samples(struct output *o, char (*names)[IF_NAMESIZE], size_t n)
{
	struct sl_samples *samples;
	struct sl_error error = { "" };
	int status, err;

	/* First, so that who sees the rings held may end this by a signal. */
	cli_catch_signals();
	err = sl_samples_open(names, n, &samples, &error);
	if (err)
		return cli_fail(err, error.text);
	status = cli_sampled_check(samples, names, n, o->rule);
	if (status == CLI_OK) {
		begin_output(o, names, n);
		status = read_all(samples, o);
		report_lost(samples, names, n);
	}
	sl_samples_close(samples);
	return status;
}

static int run(char **arguments, int n_arguments, struct output *o)
{
	size_t n = 0;
	int closed, status = cli_outfile_open(o->path, &o->file);
	char(*names)[IF_NAMESIZE];

	if (status != CLI_OK)
		return status;
	names = cli_filters_names(arguments, n_arguments, &n, &status);
	if (names && n)
		status = read_samples(o, names, n);
	else if (names)
		status = cli_fail(-ENODEV, CLI_NO_FILTER);
	free(names);
	closed = close_output(o);
	return status == CLI_OK ? closed : status;
}

int cli_log(const struct cli_command *command, int argc, char **argv)
{
	struct output o = { .json = false };
	const char *count = NULL;
	const struct cli_option options[] = { { "json", .flag = &o.json },
					      { "write", 'w',
						.value = &o.path },
					      { "count", 'c', .value = &count },
					      { "rule", .value = &o.rule },
					      { 0 } };

	if (cli_options_read(command, options, argc, argv) != CLI_OK)
		return CLI_USAGE;
	if (o.json && o.path)
		return cli_usage(command);
	if (count &&
	    cli_option_number("-c", count, ULONG_MAX, &o.count) != CLI_OK)
		return CLI_USAGE;
	return run(argv + optind, argc - optind, &o);
}
