/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the filter tells about a packet that it hands to an AF_XDP socket: 32
 * bytes (what Linux 6.1 takes) in front of the packet's first byte, in copy mode
 * and in zero-copy alike. Nothing else says that they are there, and a frame
 * keeps the bytes of the packet before. So whoever reads them compares `magic`,
 * and clears it before the frame goes back to the fill ring.
 *
 * Where they are missing (a driver that has no room for metadata, `attach
 * shared`, another program) the packet is the same. Built by both compilers.
 */
#ifndef SLUICE_META_H
#define SLUICE_META_H

#include <linux/types.h>

/* The last byte counts the versions of the struct. */
#define SL_META_MAGIC 0x534c4d01u

#define SL_META_IP4 1u
#define SL_META_IP6 2u
#define SL_META_FIRST 4u /* a fragment: the first, with the ports */
#define SL_META_LATER 8u /* or another */
#define SL_META_VLAN 16u /* one tag, with QINQ two */
#define SL_META_QINQ 32u
#define SL_META_ROUTE 64u /* a `route` rule: the kernel's answer is there */

struct sl_meta {
	__u32 magic;
	__u32 generation; /* its lower half */
	__u32 slot;	  /* of the rule that forwarded it */
	/*
	 * With SL_META_ROUTE the kernel's FIB says: by this interface, with these
	 * MACs. TTL or hop limit is above 1 and has not been lowered, there are no
	 * IPv4 options, and the packet is not longer than the MTU of the route.
	 */
	__u32 ifindex;
	__u16 l4;   /* offset of the upper layer's header; 0: not known */
	__u8 l3;    /* offset of the IP header; 0: not IP */
	__u8 flags; /* SL_META_* */
	__u8 mac_dst[6], mac_src[6];
};

_Static_assert(sizeof(struct sl_meta) == 32, "struct sl_meta is 32 bytes");

#endif /* SLUICE_META_H */
