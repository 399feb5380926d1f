// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * packets (lib/capture.h) -> --rule, --reason, pcap filter -> lines, JSON or pcapng, until
 * COUNT, duration, size or a signal. --sample is taken before, where the packets come from.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>
#include <pcap/pcap.h>

#include "capture_source.h"
#include "cli.h"
#include "filters.h"
#include "options.h"
#include "outfile.h"
#include "sampled.h"
#include "signals.h"
#include "lib/capture.h"
#include "lib/clock.h"
#include "lib/error.h"
#include "lib/jsontext.h"
#include "lib/observe.h"
#include "lib/pcapng.h"
#include "lib/quantity.h"
#include "lib/summary.h"

#define POLL_MS 500
#define PCAP_SNAP 65535 /* what the pcap filter says of a match */
#define ENOUGH 1	/* what ends the reading */

/* Names of all log rules and of the deciding one, quoted; and the rest in words. */
#define WORDS_BYTES ((SL_LOG_RULES + 1) * (SL_NAME_BYTES + 4) + 160)

/* A file grows to that unless told otherwise: nobody means to fill a disk. */
#define SIZE_DEFAULT (1ULL << 30)

struct output {
	bool json;
	const char *path; /* of the pcapng file; NULL: lines on stdout */
	const char *rule; /* only its packets; NULL: all */
	unsigned reason;  /* likewise; SL_REASON_COUNT: all */
	struct bpf_program program; /* of the pcap filter */
	bool filtered;
	unsigned long count;   /* packets to go; 0: no bound */
	unsigned long written; /* so far */
	uint64_t size;	       /* bytes of the file */
	uint64_t end_ns;       /* CLOCK_MONOTONIC; 0: no bound */
	FILE *file;	       /* the pcapng file, or stdout */
	off_t whole; /* where the last flushed block ends; -1: no such file */
	int err;     /* of writing */
};

/* `drop, rule "c", logged by "a", "b" (doubt)` */
static void words(const struct sl_captured *p, char *text, size_t bytes)
{
	const char *reason = p->reason < SL_REASON_COUNT ?
				     sl_reason_text(p->reason) :
				     "reason unknown";
	const char *verdict = p->verdict < SL_VERDICT_COUNT ?
				      sl_verdict_text(p->verdict) :
				      "verdict unknown";
	size_t used = (size_t)snprintf(text, bytes, "%s, %s", verdict, reason);

	if (p->rule)
		used += (size_t)snprintf(text + used, bytes - used, " \"%s\"",
					 p->rule);
	for (size_t i = 0; i < p->n_logs; i++)
		used += (size_t)snprintf(text + used, bytes - used, "%s\"%s\"",
					 i ? ", " : ", logged by ",
					 p->logs[i] ? p->logs[i] : "?");
	if (p->doubt)
		snprintf(text + used, bytes - used, " (%s)", p->doubt);
}

static int write_text(struct output *o, const struct sl_captured *p)
{
	char when[SL_SUMMARY_TIME], why[WORDS_BYTES], what[SL_SUMMARY_BYTES];

	sl_summary_time(p->time_ns, when);
	words(p, why, sizeof(why));
	sl_summary_write(p->bytes, p->captured_bytes, what);
	fprintf(o->file, "%s %s %s, %u bytes, %s\n", when, p->interface, why,
		p->frame_bytes, what);
	return ferror(o->file) ? -EIO : 0;
}

static int write_json(struct output *o, const struct sl_captured *p)
{
	char when[SL_SUMMARY_TIME], what[SL_SUMMARY_BYTES];
	json_t *object;

	sl_summary_time(p->time_ns, when);
	sl_summary_write(p->bytes, p->captured_bytes, what);
	object = json_pack(
		"{s:s, s:o, s:I, s:I, s:o, s:s?, s:s?, s:s?, s:s?, s:I, s:s}",
		"time", when, "interface", sl_json_text(p->interface), "queue",
		(json_int_t)p->queue, "generation", (json_int_t)p->generation,
		"logs", cli_sampled_logs_json(p->logs, p->n_logs), "verdict",
		p->verdict < SL_VERDICT_COUNT ? sl_verdict_text(p->verdict) :
						NULL,
		"reason",
		p->reason < SL_REASON_COUNT ? sl_reason_text(p->reason) : NULL,
		"rule", p->rule, "doubt", p->doubt, "bytes",
		(json_int_t)p->frame_bytes, "summary", what);
	return cli_write_json(object, o->file);
}

static int write_pcapng(struct output *o, const struct sl_captured *p)
{
	char why[WORDS_BYTES], comment[WORDS_BYTES + 40];
	const struct sl_pcapng_packet packet = {
		.interface = (uint32_t)p->interface_index,
		.queue = p->queue,
		.time_ns = p->time_ns,
		.bytes = p->bytes,
		.captured_bytes = p->captured_bytes,
		.frame_bytes = p->frame_bytes,
		.xdp_action = sl_pcapng_action(p->verdict),
		.comment = comment,
	};

	words(p, why, sizeof(why));
	snprintf(comment, sizeof(comment), "%s, generation %llu", why,
		 (unsigned long long)p->generation);
	return sl_pcapng_packet(o->file, &packet);
}

static bool is_wanted(const struct output *o, const struct sl_captured *p)
{
	const struct pcap_pkthdr header = { .caplen = p->captured_bytes,
					    .len = p->frame_bytes };

	return (!o->rule ||
		cli_sampled_by(o->rule, p->rule, p->logs, p->n_logs)) &&
	       (o->reason == SL_REASON_COUNT || p->reason == o->reason) &&
	       (!o->filtered ||
		pcap_offline_filter(&o->program, &header, p->bytes));
}

static int take(void *context, const struct sl_captured *p)
{
	struct output *o = context;

	if (!is_wanted(o, p))
		return 0;
	/* The block, its comment and options are no longer. */
	if (o->path && o->whole >= 0 &&
	    (uint64_t)ftello(o->file) + p->captured_bytes + 2048 > o->size) {
		fprintf(stderr,
			"sluice: %s: ends at its --size, after %lu packets\n",
			o->path, o->written);
		return ENOUGH;
	}
	errno = 0;
	if (o->path)
		o->err = write_pcapng(o, p);
	else if (o->json)
		o->err = write_json(o, p);
	else
		o->err = write_text(o, p);
	if (o->err) {
		o->err = errno ? -errno : o->err;
		return ENOUGH;
	}
	return ++o->written == o->count ? ENOUGH : 0;
}

/* Readers of the file see whole blocks, also of one that cannot grow any more. */
static void flush(struct output *o)
{
	if (fflush(o->file) != 0 && !o->err)
		o->err = -errno;
	if (o->whole < 0)
		return;
	if (!o->err) {
		o->whole = ftello(o->file);
		return;
	}
	/* Or closing would write what is left behind the end. */
	__fpurge(o->file);
	if (ftruncate(fileno(o->file), o->whole) < 0)
		o->whole = -1;
}

static int open_output(struct output *o)
{
	if (o->path && strcmp(o->path, "-") == 0 && isatty(STDOUT_FILENO)) {
		fputs("sluice: -o -: standard output is a terminal; pcapng is "
		      "for a file or a pipe\n",
		      stderr);
		return CLI_USAGE;
	}
	return cli_outfile_open(o->path, &o->file);
}

static void begin_output(struct output *o, const struct sl_capture *capture,
			 char (*names)[IF_NAMESIZE], size_t n)
{
	int err;

	o->whole = -1;
	if (!o->path)
		return;
	err = cli_outfile_begin(o->file);
	if (!err)
		err = sl_pcapng_section(o->file);
	for (size_t i = 0; i < n && !err; i++)
		err = sl_pcapng_interface(o->file, names[i],
					  sl_capture_snap(capture));
	o->err = err;
	if (o->file != stdout)
		o->whole = 0;
	flush(o);
}

static int close_output(struct output *o)
{
	int err = o->err;

	if (o->file != stdout && fclose(o->file) != 0 && !err)
		err = -errno;
	if (!err)
		return CLI_OK;
	fprintf(stderr, "sluice: %s: write packets: %s; %lu were written\n",
		o->path ? o->path : "standard output", strerror(-err),
		o->written);
	return CLI_SYSTEM;
}

/* How long to wait for packets; 0: the time is up. */
static int wait_ms(const struct output *o)
{
	uint64_t now_ns = sl_clock_ns();

	if (!o->end_ns)
		return POLL_MS;
	if (now_ns >= o->end_ns)
		return 0;
	return o->end_ns - now_ns < POLL_MS * 1000000ULL ?
		       (int)((o->end_ns - now_ns) / 1000000) + 1 :
		       POLL_MS;
}

static int read_all(struct sl_capture *capture, struct output *o)
{
	struct sl_error error = { "" };
	int ms, err = 0;

	while (!err && !o->err && !cli_stopped() && (ms = wait_ms(o)) > 0) {
		err = sl_capture_poll(capture, ms, take, o, &error);
		flush(o);
	}
	if (!err && !o->err)
		err = sl_capture_drain(capture, take, o, &error);
	flush(o);
	if (err == -ENODATA)
		fputs("sluice: no filter is left to capture from\n", stderr);
	else if (err < 0)
		return cli_fail(err, error.text);
	return CLI_OK;
}

static int capture_from(struct output *o, struct sl_capture *capture,
			char (*names)[IF_NAMESIZE], size_t n)
{
	int status;

	if (o->rule && !sl_capture_has_rule(capture, o->rule)) {
		fprintf(stderr,
			"sluice: no rule \"%s\"; `sluice stats` lists them\n",
			o->rule);
		return CLI_INPUT;
	}
	begin_output(o, capture, names, n);
	status = read_all(capture, o);
	cli_capture_report_lost(capture, names, n);
	return status;
}

/* How many of the words, from the first on, are interfaces. */
static int count_interfaces(char **arguments, int n)
{
	int i;

	for (i = 0; i < n && if_nametoindex(arguments[i]); i++)
		;
	return i;
}

/* The words of the expression, which may be several arguments, in one; NULL: no memory. */
static char *join(char **arguments, int n)
{
	size_t bytes = 1;
	char *text;

	for (int i = 0; i < n; i++)
		bytes += strlen(arguments[i]) + 1;
	text = calloc(1, bytes);
	if (!text)
		return NULL;
	for (int i = 0; i < n; i++) {
		strcat(text, i ? " " : "");
		strcat(text, arguments[i]);
	}
	return text;
}

static int compile(struct output *o, char **arguments, int n)
{
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, PCAP_SNAP);
	char *text = join(arguments, n);
	int status = CLI_OK;

	if (!pcap || !text) {
		status = cli_fail(-ENOMEM, "out of memory");
	} else if (pcap_compile(pcap, &o->program, text, 1,
				PCAP_NETMASK_UNKNOWN) < 0) {
		fprintf(stderr,
			"sluice: \"%s\" is no interface, and \"%s\" no pcap "
			"filter (pcap-filter(7)): %s\n",
			arguments[0], text, pcap_geterr(pcap));
		status = CLI_INPUT;
	} else {
		o->filtered = true;
	}
	if (pcap)
		pcap_close(pcap);
	free(text);
	return status;
}

static int run(char **arguments, int n_arguments, struct output *o,
	       const struct sl_capture_wish *wish)
{
	int n_named = count_interfaces(arguments, n_arguments);
	struct sl_capture *capture;
	char(*names)[IF_NAMESIZE];
	int status = CLI_OK, closed;
	size_t n = 0;

	if (n_named < n_arguments)
		status = compile(o, arguments + n_named, n_arguments - n_named);
	if (status == CLI_OK)
		status = open_output(o);
	if (status != CLI_OK)
		goto out;
	names = cli_filters_names(arguments, n_named, &n, &status);
	if (names && !n)
		status = cli_fail(-ENODEV, CLI_NO_FILTER);
	/* First, so that who sees it at work may end it by a signal. */
	cli_catch_signals();
	if (status == CLI_OK)
		status = cli_capture_open(names, n, wish, &capture);
	if (status == CLI_OK) {
		status = capture_from(o, capture, names, n);
		sl_capture_close(capture);
	}
	free(names);
	closed = close_output(o);
	if (status == CLI_OK)
		status = closed;
out:
	if (o->filtered)
		pcap_freecode(&o->program);
	return status;
}

static int read_reason(const char *text, unsigned *reason)
{
	for (unsigned r = 0; r < SL_REASON_COUNT; r++)
		if (strcmp(sl_reason_text(r), text) == 0) {
			*reason = r;
			return CLI_OK;
		}
	fprintf(stderr,
		"sluice: --reason %s: there is no such; there are:", text);
	for (unsigned r = 0; r < SL_REASON_COUNT; r++)
		fprintf(stderr, " %s", sl_reason_text(r));
	fputc('\n', stderr);
	return CLI_USAGE;
}

static int read_size(const char *text, uint64_t *size)
{
	if (sl_size_parse(text, strlen(text), size) == 0 && *size > 0)
		return CLI_OK;
	fprintf(stderr, "sluice: --size %s: expected bytes, as 500K or 64M\n",
		text);
	return CLI_USAGE;
}

int cli_capture(const struct cli_command *command, int argc, char **argv)
{
	struct output o = { .size = SIZE_DEFAULT, .reason = SL_REASON_COUNT };
	const char *count = NULL, *sample = NULL, *duration = NULL;
	const char *reason = NULL, *size = NULL;
	struct sl_capture_wish wish = { 0 };
	unsigned long one_in = 1, seconds = 0;
	const struct cli_option options[] = {
		{ "output", 'o', .value = &o.path },
		{ "json", .flag = &o.json },
		{ "all", .flag = &wish.all },
		{ "rule", .value = &o.rule },
		{ "reason", .value = &reason },
		{ "sample", .value = &sample },
		{ "count", 'c', .value = &count },
		{ "duration", .value = &duration },
		{ "size", .value = &size },
		{ 0 }
	};

	if (cli_options_read(command, options, argc, argv) != CLI_OK)
		return CLI_USAGE;
	if ((o.json && o.path) ||
	    (size && (!o.path || strcmp(o.path, "-") == 0)))
		return cli_usage(command);
	if ((count && cli_option_number("-c", count, ULONG_MAX, &o.count)) ||
	    (sample &&
	     cli_option_number("--sample", sample, UINT_MAX, &one_in)) ||
	    (duration &&
	     cli_option_number("--duration", duration, 86400, &seconds)) ||
	    (reason && read_reason(reason, &o.reason)) ||
	    (size && read_size(size, &o.size)))
		return CLI_USAGE;
	wish.sample = (uint32_t)one_in;
	if (seconds)
		o.end_ns = sl_clock_ns() + seconds * 1000000000u;
	return run(argv + optind, argc - optind, &o, &wish);
}
