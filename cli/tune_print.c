// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "tune_print.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "cli.h"
#include "tune_guard.h"
#include "lib/tune_item.h"
#include "lib/tune_journal.h"

/* Wider than most values; a table of RSS in runs is longer. */
#define VALUE_COLUMNS 28

static json_t *text_or_null(const char *text)
{
	return text ? json_string(text) : json_null();
}

static json_t *item_json(const struct sl_tune_item *item)
{
	char unit[SL_TUNE_UNIT_TEXT];

	sl_tune_unit_format(&item->key, unit);
	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o}",
			 "interface", item->device, "setting",
			 sl_tune_kinds[item->key.setting].name, "unit", unit,
			 "outcome", sl_tune_outcome_text(item->outcome), "old",
			 text_or_null(item->old), "now",
			 text_or_null(item->now), "wanted",
			 text_or_null(item->wanted), "why",
			 text_or_null(item->why));
}

static int print_json(const struct sl_tune_list *list,
		      const struct sl_tune_journal *journal)
{
	json_t *rows = json_array(), *root;

	for (size_t i = 0; rows && i < list->n; i++)
		if (json_array_append_new(rows, item_json(&list->items[i]))) {
			json_decref(rows);
			rows = NULL;
		}
	root = json_pack("{s:o, s:o}", "settings", rows, "confirm_seconds",
			 journal && journal->confirm_ns ?
				 json_integer(cli_tune_seconds_left(journal)) :
				 json_null());
	return cli_print_json(root);
}

/* "now -> wanted", or the one that there is. */
static void format_values(const struct sl_tune_item *item, char *text,
			  size_t bytes)
{
	const char *now = item->now ? item->now : "?";

	switch (item->outcome) {
	case SL_TUNE_SAME:
	case SL_TUNE_HOLDS:
		snprintf(text, bytes, "%s", now);
		break;
	case SL_TUNE_DONE:
		snprintf(text, bytes, "%s -> %s", item->old, now);
		break;
	case SL_TUNE_UNDONE:
		snprintf(text, bytes, "%s -> %s",
			 item->wanted ? item->wanted : "?", item->old);
		break;
	case SL_TUNE_DRIFTED:
	case SL_TUNE_CONFLICT:
		snprintf(text, bytes, "%s, ours %s", now, item->wanted);
		break;
	case SL_TUNE_GONE:
	case SL_TUNE_LEFT:
	case SL_TUNE_UNSEEN:
		snprintf(text, bytes, "%s", item->wanted ? item->wanted : "?");
		break;
	default:
		snprintf(text, bytes, "%s%s%s", item->now ? item->now : "",
			 item->now ? " -> " : "", item->wanted);
	}
}

static void print_item(const struct sl_tune_item *item)
{
	char unit[SL_TUNE_UNIT_TEXT], values[512];

	sl_tune_unit_format(&item->key, unit);
	format_values(item, values, sizeof(values));
	printf("  %-11s  %-20s %-9s  %-*s%s%s\n",
	       sl_tune_outcome_text(item->outcome),
	       sl_tune_kinds[item->key.setting].name, unit,
	       item->why ? VALUE_COLUMNS : 0, values, item->why ? " " : "",
	       item->why ? item->why : "");
}

static void print_confirm(const struct sl_tune_journal *journal)
{
	long left = cli_tune_seconds_left(journal);

	if (left > 0 && cli_tune_guard_runs(journal))
		printf("to be undone in %ld s, unless `sluice tune confirm` "
		       "comes before\n",
		       left);
	else if (!cli_tune_guard_runs(journal))
		printf("not confirmed, and the process that would undo it (%d) "
		       "is gone: `sluice tune confirm` or `undo`\n",
		       journal->guard);
}

int cli_tune_print(const struct sl_tune_list *list,
		   const struct sl_tune_journal *journal, bool json)
{
	const char *device = "";

	if (json)
		return print_json(list, journal);
	for (size_t i = 0; i < list->n; i++) {
		const struct sl_tune_item *item = &list->items[i];

		if (strcmp(device, item->device) != 0)
			puts(item->device);
		device = item->device;
		print_item(item);
	}
	if (journal && journal->confirm_ns)
		print_confirm(journal);
	return CLI_OK;
}
