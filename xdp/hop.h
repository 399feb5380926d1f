/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rewrite of a packet for its next hop: one for the filter (`redirect fib`)
 * and the forwarder (`route`). The headers have been checked before.
 */
#ifndef SLUICE_XDP_HOP_H
#define SLUICE_XDP_HOP_H

#include "packet.h"

#define SL_IP4_TTL 8
#define SL_IP4_CHECKSUM 10
#define SL_IP6_HOP_LIMIT 7

/* `frame`: SL_ETH_BYTES and more. */
static __always_inline void sl_hop_macs(__u8 *frame, const __u8 dst[6],
					const __u8 src[6])
{
	__builtin_memcpy(frame, dst, 6);
	__builtin_memcpy(frame + 6, src, 6);
}

/*
 * RFC 1624, equation 3: the word with the TTL falls by 0x0100, so the checksum
 * grows by as much, with the carry added at the other end.
 */
static __always_inline void sl_hop_ip4(__u8 *header)
{
	__u32 sum = sl_load16(header + SL_IP4_CHECKSUM) + 0x0100u;

	/* -0 is not used: where the sum comes to 0xffff it is 0 (RFC 1624, 3). */
	sum = (sum + (sum >= 0xffff)) & 0xffff;
	header[SL_IP4_TTL]--;
	header[SL_IP4_CHECKSUM] = (__u8)(sum >> 8);
	header[SL_IP4_CHECKSUM + 1] = (__u8)sum;
}

static __always_inline void sl_hop_ip6(__u8 *header)
{
	header[SL_IP6_HOP_LIMIT]--;
}

#endif /* SLUICE_XDP_HOP_H */
