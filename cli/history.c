// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "history.h"

#include <stdio.h>
#include <stdlib.h>

#include "change.h"
#include "cli.h"
#include "lib/config.h"
#include "lib/error.h"
#include "lib/history.h"

int cli_history_parse(const struct sl_history *history, unsigned number,
		      struct cli_change *change)
{
	const struct sl_history_entry *entry = sl_history_find(history, number);
	struct sl_error error = { "" };
	struct sl_diags diags = { 0 };
	size_t length;
	char *text;
	int err;

	if (!entry) {
		fprintf(stderr,
			"sluice: the history has no configuration %u; `sluice "
			"rollback --list` shows what it has\n",
			number);
		return CLI_INPUT;
	}
	err = sl_history_read(history, number, &text, &length, &error);
	if (err)
		return cli_fail(err, error.text);
	change->file = entry->file;
	/* Under the file's name: relative paths begin there. */
	err = sl_config_parse(text, length, entry->file, &diags,
			      &change->config);
	free(text);
	if (err) {
		sl_diags_print(&diags, stderr);
		fprintf(stderr,
			"sluice: this version cannot read configuration %u of "
			"the history\n",
			number);
	}
	sl_diags_fini(&diags);
	return err ? CLI_SYSTEM : CLI_OK;
}
