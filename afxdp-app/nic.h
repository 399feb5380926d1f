/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a device has counted itself, of all its queues and of everybody's packets. What
 * each counter takes in is the driver's affair: veth's rx_dropped has the packets that an AF_XDP
 * socket had no room for, virtio-net's those that an XDP program dropped. So they are
 * shown and added to nothing, but for rx_packets where sl_fwd_nic_exact() says what it means.
 */
#ifndef SLUICE_FWD_NIC_H
#define SLUICE_FWD_NIC_H

#include <stdbool.h>
#include <stdint.h>

/* By their names in struct rtnl_link_stats64 (<linux/if_link.h>). */
#define SL_FWD_NIC_COUNTERS(X) \
	X(rx_packets)          \
	X(rx_dropped)          \
	X(rx_missed_errors)    \
	X(rx_fifo_errors)      \
	X(tx_packets)          \
	X(tx_dropped)          \
	X(tx_errors)

struct sl_fwd_nic {
#define X(name) uint64_t name;
	SL_FWD_NIC_COUNTERS(X)
#undef X
};

/* Since the device is there, or its driver began anew. Needs no capability. 0 or -errno. */
int sl_fwd_nic_read(int ifindex, struct sl_fwd_nic *nic);

/*
 * *now less *before: 0, or -ERANGE and *since is unchanged: a counter went back, as the driver
 * began anew.
 */
int sl_fwd_nic_since(const struct sl_fwd_nic *now,
		     const struct sl_fwd_nic *before, struct sl_fwd_nic *since);

/*
 * Whether the driver counts each packet that its native XDP program sees, and no other that
 * gets that far, once in rx_packets, when the NAPI poll that took it ends. So do, as of
 * Linux 6.12: veth_xdp_rcv() in drivers/net/veth.c, virtnet_receive() in
 * drivers/net/virtio_net.c, igb_clean_rx_irq() in drivers/net/ethernet/intel/igb/igb_main.c.
 */
bool sl_fwd_nic_exact(const char *driver);

#endif /* SLUICE_FWD_NIC_H */
