/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whether a device can put a packet on an RX queue that has no socket, by what ethtool tells:
 *
 *   RSS indirection table   ETHTOOL_GRXFHINDIR
 *   flow rules              ETHTOOL_GRXCLSRLCNT, GRXCLSRLALL, GRXCLSRULE; a rule names a queue, or
 *   RSS contexts            ETHTOOL_GRSSH: another table, by which only flow rules send
 *
 * The plan gives a socket to each queue that the device has in use, so nothing is steered: what
 * leads elsewhere was left behind by a change of channels (later kernels refuse one that a flow
 * rule is in the way of, net/ethtool/common.c: ethtool_check_max_channel(); the oldest supported
 * do not), and is refused. By ioctl, as these are older than Linux 6.1 and need no capability.
 */
#ifndef SLUICE_FWD_COVERAGE_H
#define SLUICE_FWD_COVERAGE_H

#include <stdbool.h>
#include <stdint.h>

enum sl_fwd_gap {
	SL_FWD_GAP_NONE, /* each queue that packets can be put on has a socket */
	SL_FWD_GAP_TABLE,
	SL_FWD_GAP_RULE,
	SL_FWD_GAP_CONTEXT,
};

struct sl_fwd_coverage {
	bool table;	/* the device shows an indirection table */
	uint32_t rules; /* flow rules that were looked at */
	/* The first gap, and what leads there. */
	enum sl_fwd_gap gap;
	uint32_t queue, rule, context;
};

/* ETHTOOL_* on the device: 0 or -errno. */
typedef int (*sl_fwd_ethtool)(void *context, void *command);

/*
 * Sockets are on queues 0 to `queues` - 1. A device that knows no table, or no rules, has
 * none. 0 and *coverage is set, or -errno: it has, and would not tell.
 */
int sl_fwd_coverage_read(sl_fwd_ethtool ethtool, void *context, uint32_t queues,
			 struct sl_fwd_coverage *coverage);

/* Says of interface `name` what the gap is, and what to do. */
void sl_fwd_coverage_say(const char *name, uint32_t queues,
			 const struct sl_fwd_coverage *coverage);

#endif /* SLUICE_FWD_COVERAGE_H */
