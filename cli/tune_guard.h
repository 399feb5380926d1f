/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * `sluice tune apply --confirm S`: undone when nobody confirms (deadman.h). What
 * was not confirmed is in the journal, with the pid of the process that would undo
 * it: if that is gone, `sluice tune status` says so, and `undo` does its work.
 */
#ifndef SLUICE_CLI_TUNE_GUARD_H
#define SLUICE_CLI_TUNE_GUARD_H

#include <stdbool.h>

struct sl_error;
struct sl_tune_journal;

/*
 * Starts the guard and enters it and its time into the journal, which is not
 * saved. *hold: the guard begins to look whether it is still needed when this is
 * closed. 0, or -errno with a message.
 */
int cli_tune_guard_start(unsigned long seconds, struct sl_tune_journal *journal,
			 int *hold, struct sl_error *error);

/* Seconds until an undo that waits for confirmation; 0 or less: it is due. */
long cli_tune_seconds_left(const struct sl_tune_journal *journal);

/* Does the guard of the journal run? */
bool cli_tune_guard_runs(const struct sl_tune_journal *journal);

#endif /* SLUICE_CLI_TUNE_GUARD_H */
