/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Numbers of the generic netlink family "netdev" (Linux
 * include/uapi/linux/netdev.h, which the headers of Debian 12 have not). The
 * comment names the kernel that has it first; sl_genl.has[] says whether this
 * one does.
 */
#ifndef SLUICE_NETDEV_UAPI_H
#define SLUICE_NETDEV_UAPI_H

#define SL_NETDEV_FAMILY "netdev"

/* 6.3: NETDEV_CMD_DEV_GET. 6.8: QUEUE_GET, NAPI_GET. 6.13: NAPI_SET. */
enum {
	SL_NETDEV_DEV_GET = 1,
	SL_NETDEV_QUEUE_GET = 10,
	SL_NETDEV_NAPI_GET = 11,
	SL_NETDEV_NAPI_SET = 14,
};

/* 6.6: the segments; 6.8: metadata and xsk features. */
enum {
	SL_NETDEV_DEV_IFINDEX = 1,
	SL_NETDEV_DEV_XDP_FEATURES = 3,
	SL_NETDEV_DEV_ZC_MAX_SEGS = 4,
	SL_NETDEV_DEV_RX_METADATA = 5,
	SL_NETDEV_DEV_XSK_FEATURES = 6,
	SL_NETDEV_DEV_MAX = SL_NETDEV_DEV_XSK_FEATURES,
};

/* enum netdev_xdp_act */
enum {
	SL_NETDEV_XDP_BASIC = 1,
	SL_NETDEV_XDP_REDIRECT = 2,
	SL_NETDEV_XDP_NDO_XMIT = 4,
	SL_NETDEV_XDP_ZEROCOPY = 8,
	SL_NETDEV_XDP_HW_OFFLOAD = 16,
	SL_NETDEV_XDP_RX_SG = 32,
	SL_NETDEV_XDP_NDO_XMIT_SG = 64,
};

/* enum netdev_xdp_rx_metadata */
enum {
	SL_NETDEV_RX_TIMESTAMP = 1,
	SL_NETDEV_RX_HASH = 2,
	SL_NETDEV_RX_VLAN = 4,
};

/* 6.8; the nest that says a socket is there 6.16. */
enum {
	SL_NETDEV_QUEUE_ID = 1,
	SL_NETDEV_QUEUE_IFINDEX,
	SL_NETDEV_QUEUE_TYPE, /* 0 receive, 1 transmit */
	SL_NETDEV_QUEUE_NAPI_ID,
	SL_NETDEV_QUEUE_XSK = 7,
	SL_NETDEV_QUEUE_MAX = SL_NETDEV_QUEUE_XSK,
};

/* 6.8; the deferral and suspension 6.13; threaded 6.17. */
enum {
	SL_NETDEV_NAPI_IFINDEX = 1,
	SL_NETDEV_NAPI_ID,
	SL_NETDEV_NAPI_IRQ,
	SL_NETDEV_NAPI_PID,
	SL_NETDEV_NAPI_DEFER_HARD_IRQS,
	SL_NETDEV_NAPI_GRO_FLUSH_TIMEOUT,   /* ns */
	SL_NETDEV_NAPI_IRQ_SUSPEND_TIMEOUT, /* ns */
	SL_NETDEV_NAPI_THREADED,
	SL_NETDEV_NAPI_MAX = SL_NETDEV_NAPI_THREADED,
};

#endif /* SLUICE_NETDEV_UAPI_H */
