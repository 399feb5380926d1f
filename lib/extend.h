/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Changing and listing the extensions of filters that run. Main thread only:
 * these functions may move the process into the initial mount namespace.
 */
#ifndef SLUICE_EXTEND_H
#define SLUICE_EXTEND_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sl_applied;
struct sl_error;
struct sl_extension_change;

/*
 * Makes the change on `interface`, or on every one that runs a configuration
 * (NULL): on all interfaces of one configuration or on none, one configuration
 * after the other. 0, and *applied, *n_applied entries, is the caller's to
 * free(); or -errno with a message, and then nothing has changed on the
 * interfaces of the configuration at fault. -EINVAL: the change is at fault.
 */
int sl_extend(const char *interface, const struct sl_extension_change *change,
	      struct sl_applied **applied, size_t *n_applied,
	      struct sl_error *error);

struct sl_extend_entry {
	char interface[IF_NAMESIZE];
	bool after;
	uint32_t slot;
	uint32_t prog_id;
	bool from_file; /* a statement of the configuration put it there */
	char name[16];	/* of the program, in the kernel */
};

/*
 * 0 and *entries is the caller's to free(), or -errno with a message; -ENOENT
 * when no configuration runs on `interface`.
 */
int sl_extend_list(const char *interface, struct sl_extend_entry **entries,
		   size_t *n_entries, struct sl_error *error);

#endif /* SLUICE_EXTEND_H */
