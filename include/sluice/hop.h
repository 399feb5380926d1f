/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What `redirect fib` keeps in maps of its own (xdp/route.h). Built by both compilers. */
#ifndef SLUICE_HOP_H
#define SLUICE_HOP_H

#include <linux/types.h>

/* What `redirect fib` is about to do to the packet at hand; ifindex 0: nothing. */
struct sl_hop {
	__u8 mac_dst[6], mac_src[6];
	__u32 ifindex;
};

/*
 * When the kernel last got a packet for a neighbour, by a hash of its MAC
 * and family; CLOCK_MONOTONIC. More entries tell more neighbours apart.
 */
#define SL_HOPS 1024
#define SL_HOP_REFRESH_NS 1000000000ull

struct sl_hops {
	__u64 passed_ns[SL_HOPS];
};

_Static_assert(sizeof(struct sl_hop) == 16, "struct sl_hop is 16 bytes");

#endif /* SLUICE_HOP_H */
