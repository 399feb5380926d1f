/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Which network namespace this is. An inode is given again when a namespace is
 * gone, a cookie (Linux 5.14) is not, until the next boot.
 */
#ifndef SLUICE_NETNS_H
#define SLUICE_NETNS_H

#include <stdbool.h>
#include <stdint.h>

#define SL_BOOT_BYTES 40

struct sl_netns {
	uint64_t inode, cookie; /* 0: not told */
	char boot[SL_BOOT_BYTES];
};

/* The caller's own, and the boot. */
void sl_netns_read(struct sl_netns *netns);

/*
 * Is it the one that the machine, or the container, begins with: that of process
 * 1, or where that one may not be looked into, of our eldest ancestor that may?
 */
bool sl_netns_is_initial(void);

#endif /* SLUICE_NETNS_H */
