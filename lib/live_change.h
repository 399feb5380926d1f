/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A change of a live set in every map that has it: interfaces that run different
 * configurations have maps of their own, with sets of the same name.
 */
#ifndef SLUICE_LIVE_CHANGE_H
#define SLUICE_LIVE_CHANGE_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

#include "live.h"

/* The set in one map. */
struct sl_live_holder {
	char interface[IF_NAMESIZE]; /* one that uses it, for messages */
	struct sl_live live;
	unsigned set;
};

/*
 * Adds (or deletes) all prefixes in all places, or none: what has been done when
 * one is refused is undone. The filter sees prefix after prefix. The caller
 * holds the lock. How many prefixes that changed in any place; or -errno with
 * a message, -ENOSPC when a set or map is full.
 */
long sl_live_change(struct sl_live_holder *places, size_t n_places,
		    const struct sl_prefix *prefixes, size_t n_prefixes,
		    bool add, struct sl_error *error);

#endif /* SLUICE_LIVE_CHANGE_H */
