/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Routing by the kernel's tables, for `route` and `redirect fib`. The kernel's
 * FIB, rules, next-hop groups and neighbours decide (bpf_fib_lookup()); what it
 * would do more than send on with new MACs and a lower TTL is left to it: the
 * packet goes up, and the kernel answers, resolves, fragments or drops.
 *
 * Nobody but the kernel's own traffic keeps a neighbour entry fresh: one that is
 * only used from here grows stale, which the lookup takes for good, and a host
 * that changed its MAC in silence would be lost. So with `redirect fib` one packet
 * a second for each neighbour goes up, too: the kernel sends it on and, where the
 * entry is stale, asks the neighbour. For `route` the forwarder does that, since
 * such a packet would pass its stages by.
 */
#ifndef SLUICE_XDP_ROUTE_H
#define SLUICE_XDP_ROUTE_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "hop.h"
#include "maps.h"
#include "meta.h"

/* `how` of sl_route(). */
#define SL_ROUTE_DRY 1u /* the packet and the state stay as they are */
#define SL_ROUTE_OUT 2u /* redirect fib: out of the device, not to a socket */

/* Its result. */
#define SL_ROUTE_KERNEL 0u
#define SL_ROUTE_DONE 1u
#define SL_ROUTE_NO_SOCKET 2u

#define SL_ROUTE_AF_INET 2
#define SL_ROUTE_AF_INET6 10

/* What the kernel drops as it comes in (RFC 1812, 4.2.2.11 and 5.3.7). */
static __always_inline bool sl_route_martian(__u32 src)
{
	__u32 net = src >> 24;

	return net == 0 || net == 127 || net >= 224;
}

static __always_inline bool sl_route_checksum(const __u8 *header)
{
	__u32 sum = 0;

#pragma GCC unroll 10
	for (int i = 0; i < SL_IP4_BYTES; i += 2)
		sum += sl_load16(header + i);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff || sum == 0x1fffe;
}

/* False: not a plain header, or not to be sent on. */
static __always_inline bool sl_route_ip4(const __u8 *h,
					 struct bpf_fib_lookup *fib)
{
	if (h[0] != 0x45 || h[SL_IP4_TTL] <= 1 || !sl_route_checksum(h) ||
	    sl_route_martian(sl_load32(h + 12)))
		return false;
	fib->family = SL_ROUTE_AF_INET;
	fib->tos = h[1];
	fib->tot_len = sl_load16(h + 2);
	fib->ipv4_src = SL_LOAD(__u32, h + 12);
	fib->ipv4_dst = SL_LOAD(__u32, h + 16);
	return true;
}

static __always_inline bool sl_route_ip6(const __u8 *h,
					 struct bpf_fib_lookup *fib)
{
	__u32 payload = sl_load16(h + 4);

	/* Hop-by-hop options are for every router; a source is never multicast. */
	if (h[SL_IP6_HOP_LIMIT] <= 1 || h[6] == SL_IP_HOPOPTS ||
	    payload > 0xffff - SL_IP6_BYTES || h[8] == 0xff)
		return false;
	fib->family = SL_ROUTE_AF_INET6;
	fib->tot_len = (__u16)(payload + SL_IP6_BYTES);
	fib->flowinfo = SL_LOAD(__u32, h) & bpf_htonl(0x0fffffff);
#pragma GCC unroll 4
	for (int i = 0; i < 4; i++) {
		fib->ipv6_src[i] = SL_LOAD(__u32, h + 8 + 4 * i);
		fib->ipv6_dst[i] = SL_LOAD(__u32, h + 24 + 4 * i);
	}
	return true;
}

/*
 * Asks the kernel where an untagged packet for this interface's MAC goes (a tag
 * would be of another device, on which the kernel receives it). False: the kernel
 * is to have it.
 */
static __always_inline bool sl_route_ask(struct xdp_md *ctx, __u64 word,
					 struct bpf_fib_lookup *fib)
{
	const union sl_facts_word u = { .word = word };
	const __u8 *data = (void *)(long)ctx->data;
	const __u8 *end = (void *)(long)ctx->data_end;
	const __u8 *h = data + SL_ETH_BYTES;

	if (u.facts.unknown || u.facts.l3 != SL_ETH_BYTES ||
	    h + SL_IP4_BYTES > end ||
	    (sl_load64(data) & SL_MAC_MASK) != sl_gen.mac)
		return false;
	if (u.facts.flags & SL_META_IP4) {
		if (!sl_route_ip4(h, fib))
			return false;
	} else if (h + SL_IP6_BYTES > end || !sl_route_ip6(h, fib)) {
		return false;
	}
	fib->ifindex = ctx->ingress_ifindex;
	fib->l4_protocol = u.facts.proto;
	/* As the kernel's own hash of a next-hop group: no ports of a fragment. */
	if (!(u.facts.flags & SL_META_FIRST)) {
		fib->sport = bpf_htons(u.facts.sport);
		fib->dport = bpf_htons(u.facts.dport);
	}
	return bpf_fib_lookup(ctx, fib, sizeof(*fib), 0) ==
	       BPF_FIB_LKUP_RET_SUCCESS;
}

/*
 * Is it time that the kernel saw a packet for this neighbour? Its IPv4 and its
 * IPv6 address are two of them, with one MAC.
 */
static __always_inline bool sl_route_refreshes(const struct sl_hop *hop,
					       __u64 word)
{
	const union sl_facts_word u = { .word = word };
	__u32 zero = 0, hash;
	struct sl_hops *hops = bpf_map_lookup_elem(&sl_hops, &zero);
	__u64 now_ns;

	if (!hops)
		return false; /* cannot be: the map has one entry */
	hash = hop->mac_dst[5] | (__u32)hop->mac_dst[4] << 8;
	hash ^= (__u32)hop->mac_dst[3] * 0x9d;
	hash ^= (u.facts.flags & SL_META_IP4) * 0x155;
	SL_KEEP(hash); /* masked last: Linux 6.1 must see the bound */
	hash &= SL_HOPS - 1;
	now_ns = bpf_ktime_get_coarse_ns();
	if (now_ns - hops->passed_ns[hash] < SL_HOP_REFRESH_NS)
		return false;
	hops->passed_ns[hash] = now_ns;
	return true;
}

static __always_inline __u32 sl_route_out(__u64 word, const struct sl_hop *hop,
					  __u32 how)
{
	struct sl_hop *next;
	__u32 zero = 0;

	if (bpf_redirect_map(&sl_devs, hop->ifindex, XDP_PASS) != XDP_REDIRECT)
		return SL_ROUTE_KERNEL;
	if (how & SL_ROUTE_DRY)
		return SL_ROUTE_DONE;
	next = bpf_map_lookup_elem(&sl_hop, &zero);
	if (!next || sl_route_refreshes(hop, word))
		return SL_ROUTE_KERNEL;
	*next = *hop;
	return SL_ROUTE_DONE;
}

static __always_inline __u32 sl_route_up(struct xdp_md *ctx, __u64 word,
					 __u32 slot, const struct sl_hop *hop,
					 __u32 how)
{
	/* Only out of what the forwarder has a port on. */
	if (!(sl_gen.flags & SL_GEN_META) ||
	    !bpf_map_lookup_elem(&sl_devs, &hop->ifindex))
		return SL_ROUTE_KERNEL;
	if (bpf_redirect_map(&xsks_map, ctx->rx_queue_index, XDP_PASS) !=
	    XDP_REDIRECT)
		return SL_ROUTE_NO_SOCKET;
	if (!(how & SL_ROUTE_DRY) && !sl_meta_put(ctx, word, slot, hop))
		return SL_ROUTE_KERNEL;
	return SL_ROUTE_DONE;
}

/* Where a packet of a rule with SL_STEP_FIB goes; `word` as of sl_facts(). */
static __always_inline __u32 sl_route(struct xdp_md *ctx, __u64 word,
				      __u32 slot, __u32 how)
{
	struct bpf_fib_lookup fib = { 0 };
	struct sl_hop hop;

	if (!sl_route_ask(ctx, word, &fib))
		return SL_ROUTE_KERNEL;
	__builtin_memcpy(hop.mac_dst, fib.dmac, 6);
	__builtin_memcpy(hop.mac_src, fib.smac, 6);
	hop.ifindex = fib.ifindex;
	return how & SL_ROUTE_OUT ? sl_route_out(word, &hop, how) :
				    sl_route_up(ctx, word, slot, &hop, how);
}

/*
 * Rewrites the packet as sl_route_out() found, if it did: after the samples of it
 * were taken.
 */
static __always_inline int sl_route_rewrite(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data;
	__u8 *end = (void *)(long)ctx->data_end;
	__u8 *h = data + SL_ETH_BYTES;
	struct sl_hop *hop;
	__u32 zero = 0;

	hop = bpf_map_lookup_elem(&sl_hop, &zero);
	if (!hop || !hop->ifindex || h + SL_IP4_BYTES > end)
		return 0;
	hop->ifindex = 0;
	sl_hop_macs(data, hop->mac_dst, hop->mac_src);
	if (h[0] >> 4 == 4)
		sl_hop_ip4(h);
	else
		sl_hop_ip6(h);
	return 0;
}

#endif /* SLUICE_XDP_ROUTE_H */
