/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Neighbours in use. What AF_XDP sends refreshes no neighbour entry: a stale one stays as it
 * is, and a host that changed its MAC address in silence would be lost for good. So the
 * workers note which MACs they send to, and about once a second the main thread has the kernel
 * treat those entries that are stale as its own traffic would (NTF_USE): it asks the neighbour,
 * and takes the new address, or gives the entry up and the filter passes packets to it, which
 * has it asked anew.
 */
#ifndef SLUICE_FWD_NEIGHBOUR_H
#define SLUICE_FWD_NEIGHBOUR_H

#include <stdbool.h>
#include <stdint.h>

/*
 * As many are told apart in a second; of two that share an entry the last is noted, the other
 * in another second. 2 KB, of which only the entries in use cost cache.
 */
#define SL_FWD_USED 256u

struct sl_fwd_used {
	/* ifindex (16 bits) << 48 | MAC; 0: none. Atomic words: worker and main thread. */
	uint64_t entry[SL_FWD_USED];
};

/* Zeroed tables, in memory that a child process shares. NULL: there is no memory. */
struct sl_fwd_used *sl_fwd_used_new(uint32_t n);
void sl_fwd_used_free(struct sl_fwd_used *used, uint32_t n); /* NULL is fine */

/* The worker's: it sends to this neighbour. */
static inline void sl_fwd_used_note(struct sl_fwd_used *used, uint32_t ifindex,
				    const uint8_t mac[6])
{
	uint64_t key = ifindex;
	uint64_t *entry;

	for (int i = 0; i < 6; i++)
		key = key << 8 | mac[i];
	entry = &used->entry[(mac[5] ^ mac[4] ^ ifindex) % SL_FWD_USED];
	/* Read first: in a flow to one neighbour nothing is written. */
	if (__atomic_load_n(entry, __ATOMIC_RELAXED) != key)
		__atomic_store_n(entry, key, __ATOMIC_RELAXED);
}

/*
 * Has the kernel refresh what was noted in `n` tables since the last call; entries that are not
 * stale need nothing. A round of netlink messages in this network namespace, bounded in time.
 * Needs CAP_NET_ADMIN, effective, where there is one to refresh. 0 or -errno.
 */
int sl_fwd_neighbours_refresh(struct sl_fwd_used *used, uint32_t n);

#endif /* SLUICE_FWD_NEIGHBOUR_H */
