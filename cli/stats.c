// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "cli.h"
#include "filters.h"
#include "forwarders.h"
#include "options.h"
#include "lib/jsontext.h"
#include "lib/observe.h"

struct watch {
	unsigned seconds; /* 0: once */
	bool json;
};

static json_t *counter_json(struct sl_counter c)
{
	return json_pack("{s:I, s:I}", "packets", (json_int_t)c.packets,
			 "bytes", (json_int_t)c.bytes);
}

static json_t *rules_json(const struct sl_stats *s)
{
	json_t *rules = json_array();

	for (size_t i = 0; i < s->n_rules; i++)
		json_array_append_new(
			rules,
			json_pack("{s:s, s:s, s:b, s:I, s:I}", "name",
				  s->rules[i].name.name, "verdict",
				  sl_rule_name_action(&s->rules[i].name),
				  "observe",
				  s->rules[i].name.flags & SL_STEP_OBSERVE,
				  "packets",
				  (json_int_t)s->rules[i].counter.packets,
				  "bytes",
				  (json_int_t)s->rules[i].counter.bytes));
	return rules;
}

static json_t *log_json(const struct sl_totals *totals)
{
	return json_pack("{s:o}", "lost", counter_json(totals->log_lost));
}

static json_t *stats_json(const struct cli_filter *f, const struct sl_stats *s)
{
	json_t *reasons = json_object(), *verdicts = json_object();

	for (int r = 0; r < SL_REASON_COUNT; r++)
		json_object_set_new(
			reasons, sl_reason_text(r),
			counter_json(sl_totals_reason(&s->totals, r)));
	for (int v = 0; v < SL_VERDICT_COUNT; v++)
		json_object_set_new(
			verdicts, sl_verdict_text(v),
			counter_json(sl_totals_verdict(&s->totals, v)));
	return json_pack("{s:o, s:s, s:I, s:o, s:o, s:o, s:o, s:o}", "name",
			 sl_json_text(f->attachment.interface), "mode",
			 sl_attachment_mode(&f->attachment), "generation",
			 (json_int_t)f->filter.gen.generation, "rx",
			 counter_json(s->totals.rx), "reasons", reasons,
			 "verdicts", verdicts, "log", log_json(&s->totals),
			 "rules", rules_json(s));
}

/* A line of a table: totals, and rates when there was a reading before. */
static void print_line(const char *name, const char *what,
		       struct sl_counter now, const struct sl_counter *before,
		       double seconds)
{
	printf("  %-28.28s %-18s %14llu %18llu", name, what,
	       (unsigned long long)now.packets, (unsigned long long)now.bytes);
	/* Less than before: the counters began anew in between. */
	if (before && now.packets >= before->packets)
		printf(" %12.0f %12.3f",
		       (double)(now.packets - before->packets) / seconds,
		       (double)(now.bytes - before->bytes) * 8 / seconds / 1e6);
	putchar('\n');
}

static const struct sl_counter *rule_before(const struct sl_stats *before,
					    const char *name)
{
	for (size_t i = 0; before && i < before->n_rules; i++)
		if (strcmp(before->rules[i].name.name, name) == 0)
			return &before->rules[i].counter;
	return NULL;
}

static void print_reasons(const struct sl_stats *s,
			  const struct sl_stats *before, double seconds)
{
	for (int r = 0; r < SL_REASON_COUNT; r++)
		for (int v = 0; v < SL_VERDICT_COUNT; v++) {
			const struct sl_counter *c =
				sl_totals_get(&s->totals, r, v);

			if (!c->packets)
				continue;
			print_line(sl_reason_text(r), sl_verdict_text(v), *c,
				   before ? sl_totals_get(&before->totals, r,
							  v) :
					    NULL,
				   seconds);
		}
}

static void print_rule(const struct sl_rule_stats *rule,
		       const struct sl_stats *before, double seconds)
{
	char what[32];

	snprintf(what, sizeof(what), "%s%s", sl_rule_name_action(&rule->name),
		 rule->name.flags & SL_STEP_OBSERVE ? " (observe)" : "");
	print_line(rule->name.name, what, rule->counter,
		   rule_before(before, rule->name.name), seconds);
}

static void print_text(const struct cli_filter *f, const struct sl_stats *s,
		       const struct sl_stats *before, double seconds)
{
	printf("%s: %s, generation %llu\n", f->attachment.interface,
	       sl_attachment_mode(&f->attachment),
	       (unsigned long long)f->filter.gen.generation);
	printf("  %-28s %-18s %14s %18s%s\n", "reason", "verdict", "packets",
	       "bytes", before ? "    packets/s       Mbit/s" : "");
	print_line("received", "", s->totals.rx,
		   before ? &before->totals.rx : NULL, seconds);
	print_reasons(s, before, seconds);
	if (s->totals.log_lost.packets)
		print_line("log samples lost", "", s->totals.log_lost,
			   before ? &before->totals.log_lost : NULL, seconds);
	if (s->n_rules)
		printf("  %-28s\n", "rule");
	for (size_t i = 0; i < s->n_rules; i++)
		print_rule(&s->rules[i], before, seconds);
}

/* One reading of every filter. */
struct reading {
	struct cli_filters filters;
	struct sl_stats *stats;
	json_t *forwarders;
	double at_seconds; /* CLOCK_MONOTONIC */
};

static void reading_free(struct reading *reading)
{
	if (reading->stats) {
		for (size_t i = 0; i < reading->filters.n_items; i++)
			sl_stats_fini(&reading->stats[i]);
		free(reading->stats);
	}
	json_decref(reading->forwarders);
	cli_filters_close(&reading->filters);
	*reading = (struct reading){ 0 };
}

/*
 * Fills a reading that is empty; it is to be freed after a failure, too. The
 * filters are opened anew each time, because a reload is a new program.
 */
static int reading_take(char **names, int n, struct reading *reading)
{
	struct timespec now;
	int err = 0, status;

	/* First: the filters may take us to another mount namespace. */
	if (!n)
		reading->forwarders = cli_forwarders_ask();
	status = cli_filters_open(names, n, 0, &reading->filters);
	if (status != CLI_OK)
		return status;
	clock_gettime(CLOCK_MONOTONIC, &now);
	reading->at_seconds = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
	reading->stats =
		calloc(reading->filters.n_items + 1, sizeof(*reading->stats));
	if (!reading->stats)
		err = -ENOMEM;
	for (size_t i = 0; i < reading->filters.n_items && !err; i++)
		err = sl_stats_read(&reading->filters.items[i].filter,
				    &reading->stats[i]);
	return err ? cli_fail(err, strerror(-err)) : CLI_OK;
}

/* What the same interface's filter had counted before, or NULL. */
static const struct sl_stats *reading_find(const struct reading *reading,
					   const struct cli_filter *f)
{
	for (size_t i = 0; i < reading->filters.n_items; i++)
		if (reading->filters.items[i].attachment.ifindex ==
		    f->attachment.ifindex)
			return &reading->stats[i];
	return NULL;
}

static int print_all(const struct reading *now, const struct reading *before,
		     const struct watch *watch)
{
	double seconds = now->at_seconds - before->at_seconds;
	json_t *list;

	if (!watch->json) {
		for (size_t i = 0; i < now->filters.n_items; i++)
			print_text(&now->filters.items[i], &now->stats[i],
				   reading_find(before, &now->filters.items[i]),
				   seconds);
		if (!now->filters.n_items)
			puts(CLI_NO_FILTER);
		cli_forwarders_print(now->forwarders);
		return fflush(stdout) == 0 ? CLI_OK : CLI_SYSTEM;
	}
	list = json_array();
	for (size_t i = 0; i < now->filters.n_items; i++)
		json_array_append_new(list, stats_json(&now->filters.items[i],
						       &now->stats[i]));
	return cli_print_json(json_array_size(now->forwarders) ?
				      json_pack("{s:o, s:O}", "interfaces",
						list, "forwarders",
						now->forwarders) :
				      json_pack("{s:o}", "interfaces", list));
}

static int run(char **names, int n, const struct watch *watch)
{
	struct reading before = { 0 };
	int status;

	do {
		struct reading now = { 0 };

		status = reading_take(names, n, &now);
		if (status == CLI_OK && watch->seconds && !watch->json &&
		    isatty(1))
			fputs("\033[H\033[2J", stdout);
		if (status == CLI_OK)
			status = print_all(&now, &before, watch);
		reading_free(&before);
		before = now;
		if (watch->seconds && status == CLI_OK)
			sleep(watch->seconds);
	} while (watch->seconds && status == CLI_OK);
	reading_free(&before);
	return status;
}

int cli_stats(const struct cli_command *command, int argc, char **argv)
{
	struct watch watch = { 0 };
	const char *text = NULL;
	unsigned long seconds = 1;
	bool watching = false;
	const struct cli_option options[] = { { "json", .flag = &watch.json },
					      { "watch", .flag = &watching,
						.value = &text },
					      { 0 } };

	if (cli_options_read(command, options, argc, argv) != CLI_OK ||
	    (text &&
	     cli_option_number("--watch", text, 86400, &seconds) != CLI_OK))
		return CLI_USAGE;
	watch.seconds = watching ? (unsigned)seconds : 0;
	return run(argv + optind, argc - optind, &watch);
}
