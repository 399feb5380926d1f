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

#include "coverage.h"
#include "filter.h"
#include "tally.h"

struct sl_fwd_iface {
	char name[IF_NAMESIZE];
	int ifindex;
	uint32_t rx_queues, tx_queues; /* in use, as of the start */
	uint32_t mtu;		       /* the same */
	struct sl_fwd_filter filter;
	struct sl_fwd_tally_base base;
	struct sl_fwd_tally tally;	 /* as of sl_fwd_iface_tally() */
	bool exact;			 /* sl_fwd_nic_exact() of its driver */
	struct sl_fwd_coverage coverage; /* without a gap; as of the start */
	uint32_t zc_segments;		 /* sl_fwd_segments_read() */
	bool tx_ring;	/* the device has one, whose room comes back by NAPI */
	int promisc_fd; /* owned; -1: none */
	/* As of the last sl_fwd_iface_check(). */
	bool up; /* administratively up and with a carrier */
	bool gone; /* was deleted, or moved to another network namespace; for good */
	uint32_t tx_queues_now, rx_queues_now;
	uint32_t mtu_now;
	bool asked,
		deferred; /* interrupts: since it is up; set and read back */
	uint64_t defer;	  /* what was asked: empty polls; 0: none */
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
 * Whether no packet is put on a queue beyond rx_queues (coverage.h). 0, -ERANGE (one is, which
 * was said), or another -errno.
 */
int sl_fwd_iface_cover(struct sl_fwd_iface *iface);

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

/* Before the sockets get into the filters: all tallies count from here. Waits a grace period. */
void sl_fwd_ifaces_tally_begin(struct sl_fwd_iface *ifaces, uint32_t n);

/* The same with another filter for one of them: its counts stay, and go on from here. */
void sl_fwd_iface_tally_from(struct sl_fwd_iface *iface,
			     const struct sl_fwd_filter *filter);

/* Reads the tally. */
void sl_fwd_iface_tally(struct sl_fwd_iface *iface);

/* Looks at the interface again. */
void sl_fwd_iface_check(struct sl_fwd_iface *iface);

#endif /* SLUICE_FWD_IFACE_H */
