/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A change of the rules that waits to be confirmed (`apply --confirm`), and what
 * ran before it.
 *
 * Two files of this network namespace below /run/sluice/confirm, written by
 * durable.h before the first swap: INODE-COOKIE.before is what to put back,
 * INODE-COOKIE.json, which is written last and removed first, says that a change
 * waits, until when, whose it is, and which process (deadman.h) will take it back.
 * So whoever dies, and whenever, the next `sluice` knows: `confirm` removes the
 * files, `rollback` puts back what is in them.
 *
 * What to put back is the text that ran on each interface of the change, with
 * what its live sets held and with the live rules of all owners, or nothing. Live
 * rules that came or went meanwhile are kept so, as by any apply; if they do not
 * go with the old rules, the old ones come back as they were.
 *
 * Writers hold the lock (lock.h); reading needs none.
 */
#ifndef SLUICE_PENDING_H
#define SLUICE_PENDING_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "actor.h"

struct sl_config;
struct sl_error;

struct sl_pending {
	int dir; /* -1: none */
	char name[64];
	bool waits;	 /* else what follows is 0 */
	uint64_t due_ns; /* CLOCK_BOOTTIME */
	int guard;	 /* the process that will */
	int64_t time;	 /* of the change; seconds since 1970 */
	unsigned number; /* its entry in the history; 0: none */
	unsigned before; /* the entry of what ran; 0: not known */
	char who[SL_ACTOR_TEXT];
	char file[PATH_MAX];
};

/*
 * Reads it. With `make` its directory is made if need be, and an error is one;
 * without, what cannot be read does not wait. 0 and the caller closes *pending, or
 * -errno with a message.
 */
int sl_pending_open(bool make, struct sl_pending *pending,
		    struct sl_error *error);

/* The same by a descriptor of its directory, which stays the caller's: after a change of the
 * mount namespace (pins.h) the path may be another's. */
int sl_pending_open_at(int dir, struct sl_pending *pending,
		       struct sl_error *error);

void sl_pending_close(struct sl_pending *pending);

/* What ran on some interfaces; text NULL: nothing. */
struct sl_before {
	char *interfaces; /* their names, a space behind each */
	char *text;
	uint64_t generation; /* the highest; not kept in the file */
};

struct sl_befores {
	struct sl_before *items;
	size_t n;
};

/* What runs on the interfaces of `config`; with `live` also what its live sets
 * hold. 0 and *befores is the caller's, or -errno with a message. */
int sl_befores_take(const struct sl_config *config, bool live,
		    struct sl_befores *befores, struct sl_error *error);
void sl_befores_fini(struct sl_befores *befores);

/*
 * Makes it wait: all but dir, name and waits are the caller's to have set. 0, or
 * -errno with a message and nothing waits.
 */
int sl_pending_save(struct sl_pending *pending,
		    const struct sl_befores *befores, struct sl_error *error);

/* Nothing waits any more. 0, or -errno with a message. */
int sl_pending_clear(struct sl_pending *pending, struct sl_error *error);

/* 0 and *befores is the caller's, or -errno with a message. */
int sl_pending_read(const struct sl_pending *pending,
		    struct sl_befores *befores, struct sl_error *error);

#endif /* SLUICE_PENDING_H */
