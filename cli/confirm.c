// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include <getopt.h>
#include <stdio.h>

#include <jansson.h>

#include "cli.h"
#include "options.h"
#include "lib/audit.h"
#include "lib/error.h"
#include "lib/history.h"
#include "lib/jsontext.h"
#include "lib/lock.h"
#include "lib/pending.h"

/* The filter stays either way; a full disk only forgets what runs after a boot. */
static void mark(const struct sl_pending *pending)
{
	struct sl_error error = { "" };
	struct sl_history history;
	int err = sl_history_open(true, &history, &error);

	if (!err && pending->number)
		err = sl_history_mark(&history, pending->number,
				      pending->number, &error);
	if (err)
		fprintf(stderr,
			"sluice: warning: %s; it stays, but after a boot what "
			"was confirmed before it runs\n",
			error.text);
	sl_history_close(&history);
}

static int confirm(struct sl_pending *pending)
{
	unsigned number = pending->number;
	struct sl_error error = { "" };
	int err;

	if (!pending->waits) {
		fputs("sluice: nothing waits to be confirmed\n", stderr);
		return CLI_INPUT;
	}
	err = sl_pending_clear(pending, &error);
	if (err)
		return cli_fail(err, error.text);
	pending->number = number;
	mark(pending);
	sl_audit("confirm", NULL, 0);
	return CLI_OK;
}

int cli_confirm(const struct cli_command *command, int argc, char **argv)
{
	struct sl_error error = { "" };
	struct sl_pending pending;
	struct sl_lock lock;
	int err, status;
	bool json;

	if (cli_json_option(command, argc, argv, &json) != CLI_OK)
		return CLI_USAGE;
	if (argc > optind)
		return cli_usage(command);
	err = sl_lock_take(&lock, &error);
	if (err)
		return cli_fail(err, error.text);
	err = sl_pending_open(false, &pending, &error);
	status = err ? cli_fail(err, error.text) : confirm(&pending);
	sl_pending_close(&pending);
	sl_lock_release(&lock);
	if (status != CLI_OK)
		return status;
	if (json)
		return cli_print_json(json_pack("{s:o}", "confirmed",
						sl_json_text(pending.file)));
	printf("%s is confirmed: it stays, also after a boot\n", pending.file);
	return fflush(stdout) == 0 ? CLI_OK : CLI_SYSTEM;
}
