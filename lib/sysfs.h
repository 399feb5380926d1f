/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What /sys and /proc tell in files of a line. Any thread. */
#ifndef SLUICE_SYSFS_H
#define SLUICE_SYSFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The first line of a file, without its end; false, and "", where there is none. */
bool sl_sysfs_line(const char *path, char *text, size_t bytes);

/* The same of an interface, from /sys/class/net/NAME/`file`. */
bool sl_sysfs_net_line(const char *name, const char *file, char *text,
		       size_t bytes);

/*
 * Is /sys of this network namespace? It shows the one that it was mounted in (`ip
 * netns exec` mounts it anew). An interface of that name in another one can have
 * the same index only by chance.
 */
bool sl_sysfs_net_shows(const char *name, int ifindex);

/* The queues of an interface whose names begin so ("rx-", "tx-"); 0: not told. */
uint32_t sl_sysfs_net_queues(const char *name, const char *prefix);

/* Is the CPU in a list as the kernel writes one ("0-3,8")? */
bool sl_sysfs_list_has(const char *list, long cpu);

#endif /* SLUICE_SYSFS_H */
