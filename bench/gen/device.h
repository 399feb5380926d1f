/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The interface that is sent out of: what is known of it, and what it says it
 * has sent. Main thread only.
 */
#ifndef SLUICE_GEN_DEVICE_H
#define SLUICE_GEN_DEVICE_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

struct device {
	char name[IF_NAMESIZE];
	unsigned int ifindex;
	unsigned int master; /* ifindex of the bond or bridge above, or 0 */
	uint8_t mac[6];
	uint32_t mtu;
	bool up, ethernet;
	bool veth;
};

/*
 * What the device itself counted. veth counts, per queue and at once, the
 * frames its peer's ring took by XDP transmit (ethtool: xdp_xmit) and refused
 * (xdp_xmit_errors): exact. Elsewhere `sent` is tx_packets of the interface,
 * in which other senders count, too, and which a NIC may bring up to date only
 * every other second.
 */
struct device_counters {
	uint64_t sent, refused;
	bool exact;
};

/* 0, or -errno (-ENODEV: no such interface) with *device unchanged. */
int sl_gen_device_open(const char *name, struct device *device);

/* 0, or -errno with *counters unchanged. */
int sl_gen_device_count(const struct device *device,
			struct device_counters *counters);

/*
 * Whether a default route, IPv4 or IPv6, leads out of the interface, of a bond
 * or bridge above it, or of a VLAN on it.
 */
bool sl_gen_device_has_default_route(const struct device *device);

#endif /* SLUICE_GEN_DEVICE_H */
