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
#include "lib/observe.h"

struct watch {
	unsigned seconds; /* 0: once */
	bool json;
};

static struct sl_counter reason_sum(const struct sl_totals *totals, int reason)
{
	struct sl_counter sum = { 0 };

	for (int v = 0; v < SL_VERDICT_COUNT; v++) {
		const struct sl_counter *c = sl_totals_get(totals, reason, v);

		sum.packets += c->packets;
		sum.bytes += c->bytes;
	}
	return sum;
}

static struct sl_counter verdict_sum(const struct sl_totals *totals,
				     int verdict)
{
	struct sl_counter sum = { 0 };

	for (int r = 0; r < SL_REASON_COUNT; r++) {
		const struct sl_counter *c = sl_totals_get(totals, r, verdict);

		sum.packets += c->packets;
		sum.bytes += c->bytes;
	}
	return sum;
}

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
			json_pack("{s:s, s:s, s:I, s:I}", "name",
				  s->rules[i].name.name, "verdict",
				  sl_verdict_text(s->rules[i].name.verdict),
				  "packets",
				  (json_int_t)s->rules[i].counter.packets,
				  "bytes",
				  (json_int_t)s->rules[i].counter.bytes));
	return rules;
}

static json_t *stats_json(const struct cli_filter *f, const struct sl_stats *s)
{
	json_t *reasons = json_object(), *verdicts = json_object();

	for (int r = 0; r < SL_REASON_COUNT; r++)
		json_object_set_new(reasons, sl_reason_text(r),
				    counter_json(reason_sum(&s->totals, r)));
	for (int v = 0; v < SL_VERDICT_COUNT; v++)
		json_object_set_new(verdicts, sl_verdict_text(v),
				    counter_json(verdict_sum(&s->totals, v)));
	return json_pack("{s:s, s:s, s:I, s:o, s:o, s:o, s:o}", "name",
			 f->attachment.interface, "mode",
			 sl_attachment_mode(&f->attachment), "generation",
			 (json_int_t)f->filter.gen.generation, "rx",
			 counter_json(s->totals.rx), "reasons", reasons,
			 "verdicts", verdicts, "rules", rules_json(s));
}

/* A line of a table: totals, and rates when there was a reading before. */
static void print_line(const char *name, const char *what,
		       struct sl_counter now, const struct sl_counter *before,
		       unsigned seconds)
{
	printf("  %-28.28s %-9s %14llu %18llu", name, what,
	       (unsigned long long)now.packets, (unsigned long long)now.bytes);
	if (before)
		printf(" %12llu %12.3f",
		       (unsigned long long)(now.packets - before->packets) /
			       seconds,
		       (double)(now.bytes - before->bytes) * 8 / seconds / 1e6);
	putchar('\n');
}

static const struct sl_counter *rule_before(const struct sl_stats *before,
					    uint32_t slot)
{
	static const struct sl_counter none;

	for (size_t i = 0; before && i < before->n_rules; i++)
		if (before->rules[i].slot == slot)
			return &before->rules[i].counter;
	return before ? &none : NULL;
}

static void print_reasons(const struct sl_stats *s,
			  const struct sl_stats *before, unsigned seconds)
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

static void print_text(const struct cli_filter *f, const struct sl_stats *s,
		       const struct sl_stats *before, unsigned seconds)
{
	printf("%s: %s, generation %llu\n", f->attachment.interface,
	       sl_attachment_mode(&f->attachment),
	       (unsigned long long)f->filter.gen.generation);
	printf("  %-28s %-9s %14s %18s%s\n", "reason", "verdict", "packets",
	       "bytes", before ? "    packets/s       Mbit/s" : "");
	print_line("received", "", s->totals.rx,
		   before ? &before->totals.rx : NULL, seconds);
	print_reasons(s, before, seconds);
	if (s->n_rules)
		printf("  %-28s\n", "rule");
	for (size_t i = 0; i < s->n_rules; i++)
		print_line(s->rules[i].name.name,
			   sl_verdict_text(s->rules[i].name.verdict),
			   s->rules[i].counter,
			   rule_before(before, s->rules[i].slot), seconds);
}

static int print_all(const struct cli_filters *filters,
		     const struct sl_stats *stats,
		     const struct sl_stats *before, const struct watch *watch)
{
	json_t *list;

	if (!watch->json) {
		for (size_t i = 0; i < filters->n_items; i++)
			print_text(&filters->items[i], &stats[i],
				   before ? &before[i] : NULL, watch->seconds);
		if (!filters->n_items)
			puts("no filter is attached in this network "
			     "namespace; `sluice apply FILE` attaches one");
		return fflush(stdout) == 0 ? CLI_OK : CLI_SYSTEM;
	}
	list = json_array();
	for (size_t i = 0; i < filters->n_items; i++)
		json_array_append_new(list, stats_json(&filters->items[i],
						       &stats[i]));
	return cli_print_json(json_pack("{s:o}", "interfaces", list));
}

/* One reading of every filter. */
struct reading {
	struct sl_stats *stats;
	size_t n;
};

static void reading_free(struct reading *reading)
{
	for (size_t i = 0; i < reading->n; i++)
		sl_stats_fini(&reading->stats[i]);
	free(reading->stats);
	*reading = (struct reading){ 0 };
}

static int reading_take(const struct cli_filters *filters,
			struct reading *reading)
{
	struct reading r = { calloc(filters->n_items + 1, sizeof(*r.stats)),
			     0 };
	int err = r.stats ? 0 : -ENOMEM;

	while (!err && r.n < filters->n_items) {
		err = sl_stats_read(&filters->items[r.n].filter, &r.stats[r.n]);
		r.n += !err;
	}
	if (err) {
		reading_free(&r);
		return err;
	}
	*reading = r;
	return 0;
}

/* Reads and prints once; *before becomes the new reading. */
static int show(const struct cli_filters *filters, const struct watch *watch,
		struct reading *before)
{
	struct reading now;
	int status, err = reading_take(filters, &now);

	if (err)
		return cli_fail(err, strerror(-err));
	status = print_all(
		filters, now.stats,
		before->n && before->n == now.n ? before->stats : NULL, watch);
	reading_free(before);
	*before = now;
	return status;
}

static int run(char **names, int n, const struct watch *watch)
{
	struct reading before = { 0 };
	struct cli_filters filters;
	int status;

	/* Opened anew each time: a reload is a new program. */
	do {
		status = cli_filters_open(names, n, 0, &filters);
		if (status != CLI_OK)
			break;
		if (watch->seconds && !watch->json && isatty(1))
			fputs("\033[H\033[2J", stdout);
		status = show(&filters, watch, &before);
		cli_filters_close(&filters);
		if (watch->seconds && status == CLI_OK)
			sleep(watch->seconds);
	} while (watch->seconds && status == CLI_OK);
	reading_free(&before);
	return status;
}

static int read_seconds(const char *text, unsigned *seconds)
{
	unsigned long value = 1;
	char *end;

	if (text) {
		value = strtoul(text, &end, 10);
		if (*end || end == text || value < 1 || value > 86400)
			return -EINVAL;
	}
	*seconds = (unsigned)value;
	return 0;
}

int cli_stats(const struct cli_command *command, int argc, char **argv)
{
	static const struct option options[] = { { "json", 0, NULL, 'j' },
						 { "watch", 2, NULL, 'w' },
						 { 0 } };
	struct watch watch = { 0 };
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'j') {
			watch.json = true;
		} else if (option == 'w') {
			if (read_seconds(optarg, &watch.seconds) < 0)
				return cli_usage(command);
		} else {
			return cli_usage(command);
		}
	}
	return run(argv + optind, argc - optind, &watch);
}
