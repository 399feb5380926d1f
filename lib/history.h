/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The last configurations that were applied, newest last: what `rollback` goes
 * back to, and what runs after a boot.
 *
 * A directory, with a file NUMBER.conf for each: the canonical text, set files
 * expanded, without the live rules of other owners, so `sluice check` and `apply`
 * take it as it is; its first line is a comment with a JSON object (who, when,
 * which file, generation). `state.json` says which of them runs and which was
 * confirmed last. All are written by durable.h. Numbers grow and are never used
 * again; a text that is there already moves to the new number. Of more than
 * SL_HISTORY_MAX the oldest go, but not the one confirmed last, nor what runs.
 *
 * The directory is that of SLUICE_HISTORY in the environment; else
 * /var/lib/sluice/history in the network namespace that the machine begins with;
 * else one of the namespace's own below /run/sluice/history, for it does not
 * outlive a boot either. Opened once, so a change of the mount namespace
 * (pins.h) does not matter.
 *
 * The filter does not depend on it: where it cannot be written (a full disk), a
 * change goes on, and says so. Callers that write hold the lock (lock.h).
 */
#ifndef SLUICE_HISTORY_H
#define SLUICE_HISTORY_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "actor.h"

struct sl_error;

#define SL_HISTORY_MAX 10

struct sl_history_entry {
	unsigned number; /* from 1 */
	int64_t time;	 /* seconds since 1970 */
	uint64_t generation;
	uint64_t bytes; /* of the text, without its first line */
	char who[SL_ACTOR_TEXT];
	char *file; /* as it was named, with its whole path */
};

struct sl_history {
	int fd; /* of the directory; -1: there is none yet */
	char path[PATH_MAX];
	struct sl_history_entry *entries; /* oldest first */
	size_t n;
	unsigned running, confirmed; /* numbers; 0: none of them */
};

/*
 * Reads it; with `make` the directory is made if need be. What is no entry is
 * passed over. 0 and the caller closes *history; or -errno with a message, and
 * *history is an empty one that may be closed, and written to in vain.
 */
int sl_history_open(bool make, struct sl_history *history,
		    struct sl_error *error);
void sl_history_close(struct sl_history *history);

/* NULL: no such entry. */
const struct sl_history_entry *sl_history_find(const struct sl_history *history,
					       unsigned number);

/* The one that was applied before what runs; NULL: none. */
const struct sl_history_entry *
sl_history_previous(const struct sl_history *history);

/*
 * The text of an entry, its first line included, to free(), with its length. 0,
 * or -errno with a message.
 */
int sl_history_read(const struct sl_history *history, unsigned number,
		    char **text, size_t *length, struct sl_error *error);

/*
 * Writes an entry with this text; its number, time and maker are filled in.
 * Nothing else changes yet. The number, or -errno with a message and the
 * directory as it was.
 */
int sl_history_add(struct sl_history *history, const char *file,
		   uint64_t generation, const char *text,
		   struct sl_error *error);

/* Takes away one that was added: what it says does not run. */
void sl_history_drop(struct sl_history *history, unsigned number);

/*
 * Says what runs and what was confirmed last (0: neither is told), then removes
 * the other entry of the running one's text, and the oldest. 0, or -errno with a
 * message.
 */
int sl_history_mark(struct sl_history *history, unsigned running,
		    unsigned confirmed, struct sl_error *error);

#endif /* SLUICE_HISTORY_H */
