/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What a configuration would cut off, asked of this machine as it is: ARP and
 * IPv6 neighbour discovery on each of its interfaces, and the SSH session that
 * runs the command. Reads routes, neighbours and links; changes nothing.
 */
#ifndef SLUICE_CUTOFF_H
#define SLUICE_CUTOFF_H

#include <stddef.h>

struct sl_actor;
struct sl_config;

struct sl_cutoff {
	char text[320]; /* interface, rule, what it would drop, what to do */
};

struct sl_cutoffs {
	struct sl_cutoff *items;
	size_t n;
};

/* Rules that run besides must be in `config` already (carry.h). An interface that is
 * not there is passed over. 0 and *cutoffs is the caller's to free (items), or
 * -ENOMEM. */
int sl_cutoffs_find(const struct sl_config *config,
		    const struct sl_actor *actor, struct sl_cutoffs *cutoffs);

#endif /* SLUICE_CUTOFF_H */
