/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The hash table of a live map (sluice/live.h): (length, prefix) -> mask of sets.
 * Only lib/live.c uses it, and under the same rules: one writer, readers that
 * take no lock.
 */
#ifndef SLUICE_LIVE_TABLE_H
#define SLUICE_LIVE_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/types.h>

struct sl_live;

struct sl_live_key {
	__u64 address[2]; /* host order, no host bits; IPv4 as in abi.h */
	unsigned length;
	bool ip6;
};

/* The mask of this very prefix; 0: no set holds it. */
uint32_t sl_live_table_get(const struct sl_live *live,
			   const struct sl_live_key *key);

/*
 * Changes it; 0 removes the entry. 0, -ENOSPC when there is no room for a new
 * entry, or another -errno; then nothing has changed.
 */
int sl_live_table_set(struct sl_live *live, const struct sl_live_key *key,
		      uint32_t mask);

/*
 * Walks over all entries: start with *slot = 0; false at the end. The order is
 * that of the hash.
 */
bool sl_live_table_next(const struct sl_live *live, uint32_t *slot,
			struct sl_live_key *key, uint32_t *mask);

#endif /* SLUICE_LIVE_TABLE_H */
