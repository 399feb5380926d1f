/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * By which interfaces, and with which VLAN tags, the packets of a peer come in:
 * asked of the kernel's routes, neighbours and links in this network namespace.
 * The way back to the peer stands for the way from it.
 */
#ifndef SLUICE_WAY_H
#define SLUICE_WAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sl_prefix;

#define SL_WAYS_MAX 64 /* ports of a bridge, legs of a bond */
#define SL_WAY_TAGS 2

struct sl_way {
	int ifindex;
	uint16_t tags[SL_WAY_TAGS]; /* the outer first */
	unsigned n_tags;
};

struct sl_ways {
	struct sl_way items[SL_WAYS_MAX];
	size_t n;
	bool has_mac; /* of the peer, or the router before it */
	uint8_t mac[6];
};

/*
 * `peer` and `own` are one address each, of one family. An interface that lies
 * upon others (VLAN, bond, bridge, macvlan) is told with them. 0, or -errno (no
 * route).
 */
int sl_ways_find(const struct sl_prefix *peer, const struct sl_prefix *own,
		 struct sl_ways *ways);

/* The VLANs that lie upon an interface itself: how many of `most`. */
size_t sl_way_vlans(int ifindex, uint16_t *vlans, size_t most);

#endif /* SLUICE_WAY_H */
