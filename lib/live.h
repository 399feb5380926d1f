/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Live sets: membership that changes while the filter runs. All live sets of a
 * configuration share one map (layout: sluice/live.h), which needs no other
 * copy: each process that opens it can test, list and change it.
 *
 * Who changes a map holds the lock of lib/lock.h; readers in the filter need
 * none. A change is in place: for each address a reader sees the set as before or
 * as after it.
 */
#ifndef SLUICE_LIVE_SETS_H
#define SLUICE_LIVE_SETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sluice/live.h"

#define SL_LIVE_MAP "sl_live" /* its name in the kernel */

struct sl_config;
struct sl_error;
struct sl_prefix;
struct sl_set;

/* A set without `max` has room for twice its items, and at least for this. */
#define SL_LIVE_ROOM_MIN 65536

struct sl_live {
	union {
		uint8_t *base;
		struct sl_live_header *header;
	};
	size_t bytes;
};

/*
 * Works out size and layout for the live sets of a configuration; bytes == 0 when
 * there is none. 0, or -EINVAL with a message: more sets or prefixes than there
 * can be, or over the `limits { sets SIZE }` of the configuration.
 */
int sl_live_plan(const struct sl_config *config, struct sl_live_shape *shape,
		 struct sl_error *error);

/*
 * Fills memory (all zero, shape->bytes long, of 64-byte alignment) with the
 * live sets and their items. 0, or -errno with a message.
 */
int sl_live_fill(const struct sl_config *config,
		 const struct sl_live_shape *shape, void *memory,
		 struct sl_error *error);

/*
 * Creates the map of a configuration that has live sets, and fills it. A
 * descriptor for the caller to close, or -errno with a message.
 */
int sl_live_create(const struct sl_config *config,
		   const struct sl_live_shape *shape, struct sl_error *error);

/*
 * Maps the sl_live map behind map_fd, which may be closed then. 0 and the caller
 * closes *live; or -errno with a message.
 */
int sl_live_open(int map_fd, struct sl_live *live, struct sl_error *error);
void sl_live_close(struct sl_live *live);

/* The number of the set with this name, or -ENOENT. */
int sl_live_find(const struct sl_live *live, const char *name);

/*
 * Adds or deletes one prefix of one set, in microseconds; once in some thousand
 * deletions of IPv6 prefixes an addition waits for a grace period, some
 * milliseconds. 1: done; 0: it was as wanted already; -ENOSPC, with a message that has
 * the counts, when the set or the map is full, or another -errno; then nothing has
 * changed.
 */
int sl_live_add(struct sl_live *live, unsigned set,
		const struct sl_prefix *prefix, struct sl_error *error);
int sl_live_del(struct sl_live *live, unsigned set,
		const struct sl_prefix *prefix);

/*
 * Whether one prefix of the set holds all of `prefix`; if so, the longest such is
 * stored in *holder.
 */
bool sl_live_test(const struct sl_live *live, unsigned set,
		  const struct sl_prefix *prefix, struct sl_prefix *holder);

/*
 * All prefixes of the set, IPv4 first, each family in the order of addresses, an
 * outer prefix before those inside it; for the caller to free. 0 or -ENOMEM.
 */
int sl_live_list(const struct sl_live *live, unsigned set,
		 struct sl_prefix **prefixes, size_t *n);

#endif /* SLUICE_LIVE_SETS_H */
