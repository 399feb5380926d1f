// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include <getopt.h>
#include <stdio.h>
#include <time.h>

#include <jansson.h>

#include "change.h"
#include "cli.h"
#include "history.h"
#include "options.h"
#include "pending.h"
#include "lib/config.h"
#include "lib/error.h"
#include "lib/history.h"
#include "lib/jsontext.h"
#include "lib/lock.h"
#include "lib/pending.h"

#define NUMBER_MAX 2147483647ul

static json_t *entry_json(const struct sl_history *h,
			  const struct sl_history_entry *e)
{
	return json_pack("{s:I, s:I, s:o, s:o, s:I, s:b, s:b}", "number",
			 (json_int_t)e->number, "time", (json_int_t)e->time,
			 "who", sl_json_text(e->who), "file",
			 sl_json_text(e->file), "generation",
			 (json_int_t)e->generation, "running",
			 e->number == h->running, "confirmed",
			 e->number == h->confirmed);
}

static void print_entry(const struct sl_history *h,
			const struct sl_history_entry *e)
{
	time_t at = (time_t)e->time;
	struct tm local;
	char when[32];

	localtime_r(&at, &local);
	strftime(when, sizeof(when), "%F %T", &local);
	printf("%6u  %s  generation %llu  %s  by %s%s%s\n", e->number, when,
	       (unsigned long long)e->generation, e->file, e->who,
	       e->number == h->running ? "; applied last" : "",
	       e->number == h->confirmed ? "; confirmed: runs after a boot" :
					   "");
}

static int list(bool json)
{
	struct sl_error error = { "" };
	struct sl_history h;
	json_t *entries;
	int err = sl_history_open(false, &h, &error);

	if (err)
		return cli_fail(err, error.text);
	entries = json_array();
	for (size_t i = 0; i < h.n; i++) {
		if (json)
			json_array_append_new(entries,
					      entry_json(&h, &h.entries[i]));
		else
			print_entry(&h, &h.entries[i]);
	}
	if (!json && !h.n)
		printf("%s: no configuration was applied yet\n", h.path);
	sl_history_close(&h);
	if (json)
		return cli_print_json(
			json_pack("{s:o}", "configurations", entries));
	json_decref(entries);
	return fflush(stdout) == 0 ? CLI_OK : CLI_SYSTEM;
}

/* -1: nothing waits to be confirmed. Else the exit status. */
static int take_back(bool json)
{
	struct sl_error error = { "" };
	struct sl_pending pending;
	struct sl_lock lock;
	int status = -1, err = sl_lock_take(&lock, &error);

	if (err)
		return cli_fail(err, error.text);
	err = sl_pending_open(false, &pending, &error);
	if (!err && pending.waits) {
		err = cli_pending_undo(&pending, "rollback", &error);
		status = err ? cli_fail(err, error.text) : CLI_OK;
	}
	sl_pending_close(&pending);
	sl_lock_release(&lock);
	if (status != CLI_OK)
		return status;
	if (json)
		return cli_print_json(json_pack("{s:o}", "undone",
						sl_json_text(pending.file)));
	printf("%s is undone; what ran before it runs\n", pending.file);
	return fflush(stdout) == 0 ? CLI_OK : CLI_SYSTEM;
}

/* 0: the one before what runs. */
static int roll_back(struct cli_change *change, unsigned number)
{
	const struct sl_history_entry *previous;
	struct sl_error error = { "" };
	struct sl_history h;
	int status, err = sl_history_open(false, &h, &error);

	if (err)
		return cli_fail(err, error.text);
	previous = sl_history_previous(&h);
	if (!number && previous)
		number = previous->number;
	if (number) {
		status = cli_history_parse(&h, number, change);
	} else {
		fputs("sluice: the history has nothing before what runs; "
		      "`sluice rollback --list` shows what it has\n",
		      stderr);
		status = CLI_INPUT;
	}
	if (status == CLI_OK) {
		status = cli_change_run(change);
		sl_config_free(change->config);
	}
	sl_history_close(&h);
	return status;
}

int cli_rollback(const struct cli_command *command, int argc, char **argv)
{
	struct cli_change change = { .action = "rollback" };
	const char *confirm = NULL;
	bool listed = false;
	const struct cli_option options[] = {
		{ "json", .flag = &change.json },
		{ "list", .flag = &listed },
		{ "dry-run", 'n', .flag = &change.dry_run },
		{ "force", .flag = &change.force },
		{ "confirm", .value = &confirm },
		{ 0 }
	};
	unsigned long number = 0;
	int status;

	if (cli_options_read(command, options, argc, argv) != CLI_OK)
		return CLI_USAGE;
	if (argc - optind > 1 || (listed && argc > optind))
		return cli_usage(command);
	if (argc > optind && cli_option_number("rollback", argv[optind],
					       NUMBER_MAX, &number) != CLI_OK)
		return CLI_USAGE;
	if (confirm && cli_option_number("--confirm", confirm, CLI_CONFIRM_MAX,
					 &change.confirm_s) != CLI_OK)
		return CLI_USAGE;
	if (listed)
		return list(change.json);
	status = number || change.dry_run ? -1 : take_back(change.json);
	return status < 0 ? roll_back(&change, (unsigned)number) : status;
}
