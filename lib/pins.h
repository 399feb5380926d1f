/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Where the links that hold our filters are pinned: a bpffs of Sluice's own
 * under /run, mounted in the initial mount namespace, keyed by the network
 * namespace's inode and the interface's index, which no renaming changes. A bpffs mounted inside
 * `ip netns exec` would die with the command, and a link pinned there with it.
 *
 * So these functions may move the process into the initial mount namespace. Its
 * working directory stays what it was by path; its /sys may be another
 * network namespace's. Single-threaded callers only.
 */
#ifndef SLUICE_PINS_H
#define SLUICE_PINS_H

#include <stddef.h>

#define SL_PINS_ROOT "/run/sluice/bpf"
#define SL_PIN_PATH_BYTES 192
#define SL_PIN_CHAIN "-ext" /* behind the path of the link */

/* Sees to it that the bpffs is visible, if it is mounted. 0 or -ENOENT. */
int sl_pins_find(void);

/* The same, and mounts it if need be. 0 or -errno. */
int sl_pins_prepare(void);

/* The directory of this network namespace's pins. 0 or -errno. */
int sl_pins_directory(char *path, size_t bytes);

/* The path of an interface's pinned link. 0 or -errno. */
int sl_pins_link(int ifindex, char *path, size_t bytes);

/* The path of the pinned program array of its extensions. 0 or -errno. */
int sl_pins_chain(int ifindex, char *path, size_t bytes);

#endif /* SLUICE_PINS_H */
