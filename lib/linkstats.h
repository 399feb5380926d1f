/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the kernel counts of one interface, and the state it is in. */
#ifndef SLUICE_LINKSTATS_H
#define SLUICE_LINKSTATS_H

#include <linux/if_link.h>
#include <stdbool.h>
#include <stdint.h>

struct sl_linkstats {
	uint32_t ifindex;
	bool admin_up, oper_up, promiscuous;
	uint64_t speed_bps; /* 0: the driver does not tell */
	bool duplex_known, full_duplex;
	struct rtnl_link_stats64 counted;
};

/*
 * Asks by rtnetlink and ethtool, in the caller's network namespace. 0, -ENODEV
 * when there is no such interface, or another -errno; *stats is unchanged then.
 * Any thread.
 */
int sl_linkstats_read(const char *name, struct sl_linkstats *stats);

#endif /* SLUICE_LINKSTATS_H */
