/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * `--confirm` of rules: the process that takes a change back (lib/deadman.h,
 * lib/pending.h), and what commands say of a change that waits.
 */
#ifndef SLUICE_CLI_PENDING_H
#define SLUICE_CLI_PENDING_H

struct json_t;
struct sl_deadman_watch;
struct sl_error;
struct sl_pending;

/* Starts that process, for what is going to wait. 0 and *watch is the caller's, or -errno with a message. */
int cli_pending_guard(const struct sl_pending *pending, unsigned long seconds,
		      struct sl_deadman_watch *watch, struct sl_error *error);

/*
 * Puts back what ran before the change that waits; then none does. Under the
 * lock. 0, or -errno with a message, and it waits on.
 */
int cli_pending_undo(struct sl_pending *pending, const char *action,
		     struct sl_error *error);

/* A sentence: whose it is, and when or why it is not undone by itself. */
void cli_pending_print(const struct sl_pending *pending, char *text,
		       unsigned long bytes);

/* An object, or null where nothing waits; the caller's. NULL: no memory. */
struct json_t *cli_pending_json(const struct sl_pending *pending);

/* On stderr, where a change waits that nobody will undo by itself. */
void cli_pending_warn(void);

#endif /* SLUICE_CLI_PENDING_H */
