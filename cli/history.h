/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* An entry of the history as a change to make. */
#ifndef SLUICE_CLI_HISTORY_H
#define SLUICE_CLI_HISTORY_H

struct cli_change;
struct sl_history;

/*
 * Sets change->config, which is the caller's to free, and change->file, which is
 * the history's. CLI_OK, or the exit status, said on stderr.
 */
int cli_history_parse(const struct sl_history *history, unsigned number,
		      struct cli_change *change);

#endif /* SLUICE_CLI_HISTORY_H */
