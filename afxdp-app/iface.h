/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An interface of a wire: who it is, how many queues it has, whether it can carry packets,
 * and its filter. Main thread. No capability is needed except where it is said.
 */
#ifndef SLUICE_FWD_IFACE_H
#define SLUICE_FWD_IFACE_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "filter.h"

struct sl_fwd_iface {
	char name[IF_NAMESIZE];
	int ifindex;
	uint32_t rx_queues, tx_queues; /* in use, as of the start */
	uint32_t mtu;		       /* the same */
	struct sl_fwd_filter filter;
	/*
	 * Packets that the filter directed to our sockets: what it has counted, less what it
	 * had before they were there.
	 */
	uint64_t forwarded_before;
	uint64_t forwarded; /* as of sl_fwd_iface_tally() */
	bool counted;	    /* the filter counts: `forwarded` means something */
	int promisc_fd;	    /* owned; -1: none */
	/* As of the last sl_fwd_iface_check(). */
	bool up; /* administratively up and with a carrier */
	bool gone; /* was deleted, or moved to another network namespace; for good */
	uint32_t tx_queues_now, rx_queues_now;
	uint32_t mtu_now;
	/* What has been said already. */
	bool told_down, told_queues, told_filter, told_mtu;
};

/*
 * 0 or -errno (-ENODEV: no such interface). The filter is not looked for. A device that does
 * not tell its channels by ethtool is counted in /sys, if that shows this network namespace
 * (under `ip netns exec` it does); else it is taken to have one queue.
 */
int sl_fwd_iface_init(struct sl_fwd_iface *iface, const char *name);

/*
 * Has the interface receive all frames, as a wire is not who they are addressed to: a NIC
 * drops unicast for other MACs before XDP sees it. The kernel takes that back when the
 * socket in promisc_fd is closed, so also when this process is killed. Needs CAP_NET_RAW.
 * 0 or -errno.
 */
int sl_fwd_iface_promiscuous(struct sl_fwd_iface *iface);

/* Filter and promiscuous mode; what holds neither is fine. */
void sl_fwd_iface_close(struct sl_fwd_iface *iface);

/* Whether packets of the MTU may take more than one frame; both MTUs in bytes, see above. */
bool sl_fwd_iface_jumbo(uint32_t mtu);

/* Before the sockets get into the filter: `forwarded` stays, and counts on from here. */
void sl_fwd_iface_tally_from(struct sl_fwd_iface *iface,
			     const struct sl_fwd_filter *filter);

/* Reads `forwarded`. */
void sl_fwd_iface_tally(struct sl_fwd_iface *iface);

/* Looks at the interface again. */
void sl_fwd_iface_check(struct sl_fwd_iface *iface);

#endif /* SLUICE_FWD_IFACE_H */
