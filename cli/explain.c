// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>
#include <pcap/pcap.h>

#include "capture_source.h"
#include "cli.h"
#include "filters.h"
#include "options.h"
#include "signals.h"
#include "lib/capture.h"
#include "lib/error.h"
#include "lib/explain.h"
#include "lib/observe.h"
#include "lib/summary.h"

struct explain {
	const struct cli_filter *on;
	int prog_fd; /* what is attached: the filter, or a dispatcher */
	struct sl_stats stats; /* for the rules' names */
	bool json;
};

static const char *rule_name(const struct explain *e, uint32_t slot)
{
	for (size_t i = 0; i < e->stats.n_rules; i++)
		if (e->stats.rules[i].slot == slot)
			return e->stats.rules[i].name.name;
	return NULL;
}

static void print_answer(const struct explain *e, unsigned long number,
			 const struct sl_probe *answer)
{
	const char *rule = rule_name(e, answer->slot);
	const char *verdict = sl_verdict_text(answer->verdict);
	const char *reason = sl_reason_text(answer->reason);

	if (e->json)
		cli_print_json(json_pack("{s:I, s:s, s:s?, s:s}", "packet",
					 (json_int_t)number, "verdict", verdict,
					 "rule", rule, "reason", reason));
	else
		printf("packet %lu: %s, %s%s%s%s\n", number, verdict, reason,
		       rule ? " \"" : "", rule ? rule : "", rule ? "\"" : "");
}

/* A packet that the kernel does not run is answered with the reason why. */
static void print_unrun(const struct explain *e, unsigned long number,
			size_t bytes)
{
	if (e->json)
		cli_print_json(json_pack("{s:I, s:n, s:n, s:s, s:I}", "packet",
					 (json_int_t)number, "verdict", "rule",
					 "reason", "not run", "bytes",
					 (json_int_t)bytes));
	else
		printf("packet %lu: not run: the kernel's test run takes no "
		       "frame of %zu bytes\n",
		       number, bytes);
}

static int explain_packet(const struct explain *e, unsigned long number,
			  const void *packet, size_t bytes)
{
	struct sl_probe answer;
	int err = sl_explain_packet(&e->on->filter, e->prog_fd,
				    e->on->attachment.ifindex, packet, bytes,
				    &answer);

	if (!err)
		print_answer(e, number, &answer);
	else if (err == -ERANGE)
		print_unrun(e, number, bytes);
	else
		return err;
	return 0;
}

/* Before the filters are looked for, as cli/outfile.h. NULL: said on stderr. */
static pcap_t *open_packets(const char *path)
{
	char why[PCAP_ERRBUF_SIZE];
	bool is_stdin = strcmp(path, "-") == 0;
	FILE *file = is_stdin ? stdin : fopen(path, "re");
	pcap_t *pcap = file ? pcap_fopen_offline(file, why) : NULL;

	if (!pcap)
		fprintf(stderr, "sluice: %s: read packets: %s\n",
			is_stdin ? "standard input" : path,
			file ? why : strerror(errno));
	if (!pcap && file && !is_stdin)
		fclose(file);
	if (!pcap || pcap_datalink(pcap) == DLT_EN10MB)
		return pcap;
	fprintf(stderr,
		"sluice: %s: its link type is %s; the filter sees Ethernet "
		"(EN10MB) only\n",
		path, pcap_datalink_val_to_name(pcap_datalink(pcap)));
	pcap_close(pcap);
	return NULL;
}

static int explain_all(const struct explain *e, const char *path, pcap_t *pcap)
{
	struct pcap_pkthdr *header;
	const unsigned char *packet;
	unsigned long number = 0;
	int got = 0, err = 0;

	while (!err && (got = pcap_next_ex(pcap, &header, &packet)) == 1)
		err = explain_packet(e, ++number, packet, header->caplen);
	if (got == PCAP_ERROR)
		fprintf(stderr, "sluice: %s: after packet %lu: %s\n", path,
			number, pcap_geterr(pcap));
	if (err) {
		fprintf(stderr, "sluice: %s: explain packet %lu: %s\n",
			e->on->attachment.interface, number,
			err == -ENODATA ? "no configuration is loaded: every "
					  "packet is counted and passed; "
					  "`sluice apply FILE` loads one" :
					  strerror(-err));
		return CLI_SYSTEM;
	}
	return got == PCAP_ERROR ? CLI_INPUT : CLI_OK;
}

static int explain(const struct cli_filter *on, const char *path, pcap_t *pcap,
		   bool json)
{
	struct explain e = { .on = on, .json = json };
	int status, err = sl_stats_read(&on->filter, &e.stats);

	if (err)
		return cli_fail(err, strerror(-err));
	e.prog_fd = sl_explain_open(&on->filter, &on->attachment);
	if (e.prog_fd < 0) {
		sl_stats_fini(&e.stats);
		return cli_fail(-EIO, "the attached program is gone");
	}
	status = explain_all(&e, path, pcap);
	close(e.prog_fd);
	sl_stats_fini(&e.stats);
	return status;
}

/* `sluice explain --live`. */
struct live {
	bool json;
	unsigned long count, number; /* packets to go, and so far */
	bool failed;		     /* standard output */
};

#define LIVE_POLL_MS 500
#define LIVE_ENOUGH 1

static int print_live(void *context, const struct sl_captured *p)
{
	struct live *live = context;
	const char *reason =
		p->reason < SL_REASON_COUNT ? sl_reason_text(p->reason) : NULL;
	const char *verdict = p->verdict < SL_VERDICT_COUNT ?
				      sl_verdict_text(p->verdict) :
				      NULL;
	char what[SL_SUMMARY_BYTES];

	sl_summary_write(p->bytes, p->captured_bytes, what);
	live->number++;
	if (live->json)
		live->failed =
			cli_print_json(json_pack(
				"{s:I, s:s?, s:s?, s:s?, s:s?, s:I, s:s}",
				"packet", (json_int_t)live->number, "verdict",
				verdict, "rule", p->rule, "reason", reason,
				"doubt", p->doubt, "bytes",
				(json_int_t)p->frame_bytes, "summary", what)) !=
			CLI_OK;
	else
		printf("packet %lu: %s, %s%s%s%s; %u bytes, %s%s%s%s\n",
		       live->number, verdict ? verdict : "verdict unknown",
		       reason ? reason : "reason unknown", p->rule ? " \"" : "",
		       p->rule ? p->rule : "", p->rule ? "\"" : "",
		       p->frame_bytes, what, p->doubt ? " (" : "",
		       p->doubt ? p->doubt : "", p->doubt ? ")" : "");
	live->failed = live->failed || ferror(stdout);
	return live->failed || live->number == live->count ? LIVE_ENOUGH : 0;
}

static int explain_live(char **argument, struct live *live)
{
	const struct sl_capture_wish wish = { .all = true };
	struct sl_error error = { "" };
	struct sl_capture *capture = NULL;
	char(*names)[IF_NAMESIZE];
	int status = CLI_SYSTEM, err = 0;
	size_t n = 0;

	cli_catch_signals();
	names = cli_filters_names(argument, 1, &n, &status);
	if (!names)
		return status;
	status = cli_capture_open(names, n, &wish, &capture);
	if (status != CLI_OK) {
		free(names);
		return status;
	}
	while (!err && !cli_stopped()) {
		err = sl_capture_poll(capture, LIVE_POLL_MS, print_live, live,
				      &error);
		live->failed = fflush(stdout) != 0 || live->failed;
	}
	cli_capture_report_lost(capture, names, n);
	sl_capture_close(capture);
	free(names);
	if (live->failed)
		return cli_fail(-EIO, "cannot write the answers");
	if (err == -ENODATA)
		return cli_fail(err, "no filter is left to explain");
	return err < 0 ? cli_fail(err, error.text) : CLI_OK;
}

int cli_explain(const struct cli_command *command, int argc, char **argv)
{
	struct cli_filters filters;
	struct live live = { 0 };
	const char *count = NULL;
	const struct cli_option options[] = { { "json", .flag = &live.json },
					      { "live", .value = &count },
					      { 0 } };
	pcap_t *pcap;
	int status;

	if (cli_options_read(command, options, argc, argv) != CLI_OK ||
	    (count &&
	     cli_option_number("--live", count, ULONG_MAX, &live.count)))
		return CLI_USAGE;
	if (argc - optind != (count ? 1 : 2))
		return cli_usage(command);
	if (count)
		return explain_live(argv + optind, &live);
	pcap = open_packets(argv[optind + 1]);
	if (!pcap)
		return CLI_INPUT;
	status = cli_filters_open(argv + optind, 1, 0, &filters);
	if (status == CLI_OK) {
		status = explain(&filters.items[0], argv[optind + 1], pcap,
				 live.json);
		cli_filters_close(&filters);
	}
	pcap_close(pcap);
	return status;
}
