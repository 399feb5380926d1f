/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packet -> facts: the parser. It follows docs/packet-semantics.md, whose
 * numbered points the comments cite. No map, no section, no helper: the same
 * code is compiled for the kernel and, by tests and fuzzers, for the host.
 */
#ifndef SLUICE_XDP_PACKET_H
#define SLUICE_XDP_PACKET_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include <bpf/bpf_endian.h>

#include "hints.h"
#include "sluice/abi.h"

struct xdp_md;

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

/* The bounds that docs/packet-semantics.md states (2 and 8). */
#define SL_VLAN_TAGS_MAX 2
#define SL_IPV6_EXT_MAX 8

#define SL_ETH_BYTES 14
#define SL_MAC_MASK 0xffffffffffff0000ull
#define SL_VLAN_BYTES 4
#define SL_IP4_BYTES 20
#define SL_IP6_BYTES 40
#define SL_IPV6_EXT_BYTES 8
#define SL_TCP_FLAGS_BYTES 14 /* of the TCP header, up to its flags */

#define SL_ETHERTYPE_IP4 0x0800
#define SL_ETHERTYPE_IP6 0x86dd
#define SL_ETHERTYPE_VLAN 0x8100
#define SL_ETHERTYPE_QINQ 0x88a8

/* IP protocol numbers and IPv6 extension headers (IANA protocol-numbers). */
#define SL_IP_HOPOPTS 0
#define SL_IP_ICMP 1
#define SL_IP_TCP 6
#define SL_IP_UDP 17
#define SL_IP_ROUTING 43
#define SL_IP_FRAGMENT 44
#define SL_IP_AH 51
#define SL_IP_ICMP6 58
#define SL_IP_DSTOPTS 60
#define SL_IP_SCTP 132

/* What is known of a packet; see the page for when a fact is known. */
struct sl_packet {
	__u64 src[2], dst[2]; /* host order; IPv4 in the top 32 bits of [0] */
	__u32 proto;	      /* or SL_PROTO_NONE */
	__u32 family;	      /* SL_FAMILY_* */
	__u32 fragment;	      /* SL_FRAGMENT_* */
	__u32 ethertype;      /* or SL_FIELD_VALUES */
	__u16 vlan;	      /* or SL_VLAN_NONE */
	__u16 inner_vlan;     /* or SL_VLAN_NONE */
	__u16 sport, dport;   /* valid if has_ports */
	__u8 icmp_type, icmp_code; /* valid if has_icmp */
	__u8 has_ports, has_icmp;
	__u32 anomaly; /* enum sl_reason, or SL_REASON_DEFAULT for none */
	/* Known only if `want` of sl_parse() has the field's bit. */
	__u32 length;  /* of the IP packet, bytes; or SL_LENGTH_MAX + 1 */
	__u16 flags;   /* of TCP, or SL_FLAGS_NONE */
	__u8 dscp;     /* or SL_DSCP_NONE */
	__u8 has_macs; /* the two below are valid */
	__u64 mac_dst, mac_src; /* in the top 48 bits */
};

/* The bit of a field in `want`. */
#define SL_WANT(field) (1u << SL_FIELD_##field)

/*
 * Every packet access goes through the cursor. `end` bounds what may be
 * touched (the linear part of the frame), `left` what belongs to the packet:
 * the whole frame first, then what the IP header says.
 */
struct sl_cursor {
	const __u8 *data;
	const __u8 *pos;
	const __u8 *end;
	__u32 left;
	struct xdp_md *ctx; /* NULL on the host */
};

/* Are the next n bytes all there, to be read at c->pos? */
static __always_inline bool sl_cursor_has(const struct sl_cursor *c, __u32 n)
{
	return c->left >= n && c->pos + n <= c->end;
}

/* Skips n <= c->left bytes; they need not be in the linear part. */
static __always_inline void sl_cursor_skip(struct sl_cursor *c, __u32 n)
{
	c->pos += n;
	c->left -= n;
}

/*
 * Big-endian loads. BPF loads unaligned words as they are (a packed struct
 * would make clang load byte by byte); the host gets a memcpy.
 */
#ifdef __bpf__
#define SL_LOAD(type, p) (*(const type *)(p))
#else
#define SL_LOAD(type, p)                                            \
	({                                                          \
		type sl_load_;                                      \
		__builtin_memcpy(&sl_load_, (p), sizeof(sl_load_)); \
		sl_load_;                                           \
	})
#endif

static __always_inline __u16 sl_load16(const __u8 *p)
{
	return bpf_ntohs(SL_LOAD(__u16, p));
}

static __always_inline __u32 sl_load32(const __u8 *p)
{
	return bpf_ntohl(SL_LOAD(__u32, p));
}

static __always_inline __u64 sl_load64(const __u8 *p)
{
	return bpf_be64_to_cpu(SL_LOAD(__u64, p));
}

/* Ports, TCP flags, ICMP type and code (10). */
static __always_inline void sl_parse_l4(struct sl_cursor *c,
					struct sl_packet *p, __u32 want)
{
	const __u8 *h = c->pos;

	if (p->proto == SL_IP_UDP || p->proto == SL_IP_TCP ||
	    p->proto == SL_IP_SCTP) {
		if (!sl_cursor_has(c, 4)) {
			p->anomaly = SL_REASON_TRUNCATED;
			return;
		}
		p->sport = sl_load16(h);
		p->dport = sl_load16(h + 2);
		p->has_ports = 1;
		if (want & SL_WANT(FLAGS) && p->proto == SL_IP_TCP &&
		    sl_cursor_has(c, SL_TCP_FLAGS_BYTES))
			p->flags = h[SL_TCP_FLAGS_BYTES - 1];
	} else if ((p->proto == SL_IP_ICMP && p->family == SL_FAMILY_IP4) ||
		   (p->proto == SL_IP_ICMP6 && p->family == SL_FAMILY_IP6)) {
		if (!sl_cursor_has(c, 2)) {
			p->anomaly = SL_REASON_TRUNCATED;
			return;
		}
		p->icmp_type = h[0];
		p->icmp_code = h[1];
		p->has_icmp = 1;
	}
}

/* 4 to 6. */
static __always_inline void sl_parse_ip4(struct sl_cursor *c,
					 struct sl_packet *p, __u32 want)
{
	const __u8 *h = c->pos;
	__u32 header_bytes, total_bytes, fragment;

	if (!sl_cursor_has(c, SL_IP4_BYTES)) {
		p->anomaly = SL_REASON_TRUNCATED;
		return;
	}
	header_bytes = (h[0] & 0x0f) * 4;
	total_bytes = sl_load16(h + 2);
	if (h[0] >> 4 != 4 || header_bytes < SL_IP4_BYTES ||
	    total_bytes < header_bytes) {
		p->anomaly = SL_REASON_MALFORMED;
		return;
	}
	if (total_bytes > c->left) {
		p->anomaly = SL_REASON_TRUNCATED;
		return;
	}
	fragment = sl_load16(h + 6);
	p->family = SL_FAMILY_IP4;
	p->proto = h[9];
	if (want & SL_WANT(DSCP))
		p->dscp = h[1] >> 2;
	if (want & SL_WANT(LENGTH))
		p->length = total_bytes;
	p->src[0] = (__u64)sl_load32(h + 12) << 32;
	p->dst[0] = (__u64)sl_load32(h + 16) << 32;
	if (fragment & 0x1fff)
		p->fragment = SL_FRAGMENT_LATER;
	else
		p->fragment = fragment & 0x2000 ? SL_FRAGMENT_FIRST :
						  SL_FRAGMENT_NO;
	c->left = total_bytes;
	sl_cursor_skip(c, header_bytes);
	if (p->fragment != SL_FRAGMENT_LATER)
		sl_parse_l4(c, p, want);
}

/* The end of a walk along IPv6 extension headers, or why it has none. */
#define SL_WALK_END 0
#define SL_WALK_TRUNCATED 1
#define SL_WALK_BOUND 2

struct sl_walk {
	__u16 offset; /* where the next header starts, from the frame's start */
	__u8 next;    /* its number */
	__u8 fragment; /* SL_FRAGMENT_* */
	__u8 status;   /* SL_WALK_* */
	__u8 pad[3];
};

/* No chain of bounded headers starts further into a frame than this. */
#define SL_WALK_OFFSET_MAX 0x7fff

static __always_inline bool sl_is_ext(__u32 next)
{
	return next == SL_IP_HOPOPTS || next == SL_IP_ROUTING ||
	       next == SL_IP_FRAGMENT || next == SL_IP_AH ||
	       next == SL_IP_DSTOPTS;
}

/*
 * Walks the extension headers (8, 9) from the one numbered w.next at w.offset,
 * of which `left` bytes belong to the packet. Offsets, not pointers: a state
 * that the verifier can merge from one turn of the loop to the next.
 */
static __always_inline struct sl_walk sl_walk_ext(const __u8 *data,
						  const __u8 *data_end,
						  struct sl_walk w, __u32 left)
{
	__u32 offset = w.offset, next = w.next, bytes, field;

	/*
	 * One look more than there may be headers: the last must be the end.
	 * Unrolled, because the verifier of Linux 6.1 refuses a loop whose body
	 * falls through onto its head ("back-edge"), and clang lays this one
	 * out so.
	 */
	w.status = SL_WALK_BOUND;
#pragma GCC unroll 9
	for (int i = 0; i <= SL_IPV6_EXT_MAX; i++) {
		const __u8 *h = data + (offset & SL_WALK_OFFSET_MAX);

		if (!sl_is_ext(next)) {
			w.status = SL_WALK_END;
			break;
		}
		if (i == SL_IPV6_EXT_MAX)
			break;
		if (left < SL_IPV6_EXT_BYTES || offset > SL_WALK_OFFSET_MAX ||
		    h + SL_IPV6_EXT_BYTES > data_end) {
			w.status = SL_WALK_TRUNCATED;
			break;
		}
		field = sl_load16(h + 2);
		bytes = SL_IPV6_EXT_BYTES;
		if (next == SL_IP_AH)
			bytes = (h[1] + 2u) * 4;
		else if (next != SL_IP_FRAGMENT)
			bytes = (h[1] + 1u) * 8;
		if (bytes > left) {
			w.status = SL_WALK_TRUNCATED;
			break;
		}
		if (next == SL_IP_FRAGMENT)
			w.fragment = field & 1 ? SL_FRAGMENT_FIRST :
						 SL_FRAGMENT_NO;
		offset += bytes;
		left -= bytes;
		if (next == SL_IP_FRAGMENT && field & 0xfff8) {
			w.fragment = SL_FRAGMENT_LATER;
			w.status = SL_WALK_END;
			next = h[0];
			break;
		}
		next = h[0];
	}
	w.offset = (__u16)offset;
	w.next = (__u8)next;
	return w;
}

#ifdef __bpf__
/*
 * The walk as a function that the verifier checks once, by itself: inlined, its
 * nine turns would multiply every path behind them. Returns a struct sl_walk
 * in its integer form.
 */
__u64 sl_walk_ext_checked(struct xdp_md *ctx, __u64 walk, __u32 left);

static __always_inline struct sl_walk sl_walk(const struct sl_cursor *c,
					      struct sl_walk w)
{
	union {
		struct sl_walk walk;
		__u64 word;
	} u = { w };

	u.word = sl_walk_ext_checked(c->ctx, u.word, c->left);
	return u.walk;
}
#else
static __always_inline struct sl_walk sl_walk(const struct sl_cursor *c,
					      struct sl_walk w)
{
	return sl_walk_ext(c->data, c->end, w, c->left);
}
#endif

/* From the fixed header to the upper layer's; false when it is not reached. */
static __always_inline bool sl_skip_ext(struct sl_cursor *c,
					struct sl_packet *p, __u32 next)
{
	struct sl_walk w = { .offset = (__u16)(c->pos - c->data),
			     .next = (__u8)next };
	__u32 start = w.offset;

	w = sl_walk(c, w);
	if (w.status != SL_WALK_END) {
		p->anomaly = w.status == SL_WALK_BOUND ? SL_REASON_EXT_BOUND :
							 SL_REASON_TRUNCATED;
		return false;
	}
	p->proto = w.next;
	p->fragment = w.fragment;
	c->pos = c->data + (w.offset & SL_WALK_OFFSET_MAX);
	c->left -= w.offset - start; /* no more: the walk looked */
	return true;
}

/* 7 to 9. */
static __always_inline void sl_parse_ip6(struct sl_cursor *c,
					 struct sl_packet *p, __u32 want)
{
	const __u8 *h = c->pos;
	__u32 packet_bytes;

	if (!sl_cursor_has(c, SL_IP6_BYTES)) {
		p->anomaly = SL_REASON_TRUNCATED;
		return;
	}
	if (h[0] >> 4 != 6) {
		p->anomaly = SL_REASON_MALFORMED;
		return;
	}
	packet_bytes = SL_IP6_BYTES + sl_load16(h + 4);
	if (packet_bytes > c->left) {
		p->anomaly = SL_REASON_TRUNCATED;
		return;
	}
	p->family = SL_FAMILY_IP6;
	p->src[0] = sl_load64(h + 8);
	p->src[1] = sl_load64(h + 16);
	p->dst[0] = sl_load64(h + 24);
	p->dst[1] = sl_load64(h + 32);
	if (want & SL_WANT(DSCP))
		p->dscp = (sl_load16(h) >> 6) & 0x3f;
	if (want & SL_WANT(LENGTH))
		p->length = packet_bytes > SL_LENGTH_MAX ? SL_LENGTH_MAX :
							   packet_bytes;
	c->left = packet_bytes;
	sl_cursor_skip(c, SL_IP6_BYTES);
	if (sl_is_ext(h[6])) {
		if (!sl_skip_ext(c, p, h[6]))
			return;
	} else {
		p->proto = h[6];
		p->fragment = SL_FRAGMENT_NO;
	}
	if (p->fragment != SL_FRAGMENT_LATER)
		sl_parse_l4(c, p, want);
}

/* 1 to 3: what is at the cursor when this returns is the layer-3 header. */
static __always_inline bool sl_parse_l2(struct sl_cursor *c,
					struct sl_packet *p, __u32 want)
{
	const __u8 *h = c->pos;

	if (!sl_cursor_has(c, SL_ETH_BYTES)) {
		p->anomaly = SL_REASON_TRUNCATED;
		return false;
	}
	p->ethertype = sl_load16(h + 12);
	if (want & (SL_WANT(MAC_SRC) | SL_WANT(MAC_DST))) {
		p->mac_dst = sl_load64(h) & SL_MAC_MASK;
		p->mac_src = sl_load64(h + 6) & SL_MAC_MASK;
		p->has_macs = 1;
	}
	sl_cursor_skip(c, SL_ETH_BYTES);
	for (int tag = 0; tag <= SL_VLAN_TAGS_MAX; tag++) {
		if (p->ethertype != SL_ETHERTYPE_VLAN &&
		    p->ethertype != SL_ETHERTYPE_QINQ)
			return true;
		if (tag == SL_VLAN_TAGS_MAX) {
			p->anomaly = SL_REASON_VLAN_BOUND;
			return false;
		}
		h = c->pos;
		if (!sl_cursor_has(c, SL_VLAN_BYTES)) {
			p->anomaly = SL_REASON_TRUNCATED;
			return false;
		}
		if (tag == 0)
			p->vlan = sl_load16(h) & 0x0fff;
		else
			p->inner_vlan = sl_load16(h) & 0x0fff;
		p->ethertype = sl_load16(h + 2);
		sl_cursor_skip(c, SL_VLAN_BYTES);
	}
	return true;
}

/*
 * Reads the packet under the cursor, which is at its start. Fills *p whole. A
 * fact that is not in every filter's interest is read only if `want` asks for
 * it: SL_WANT() of FLAGS, DSCP, LENGTH, MAC_SRC, MAC_DST.
 */
static __always_inline void sl_parse(struct sl_cursor *c, struct sl_packet *p,
				     __u32 want)
{
	*p = (struct sl_packet){
		.proto = SL_PROTO_NONE,
		.ethertype = SL_FIELD_VALUES,
		.fragment = SL_FRAGMENT_NONE,
		.vlan = SL_VLAN_NONE,
		.inner_vlan = SL_VLAN_NONE,
		.anomaly = SL_REASON_DEFAULT,
	};
	if (want & SL_WANT(FLAGS))
		p->flags = SL_FLAGS_NONE;
	if (want & SL_WANT(DSCP))
		p->dscp = SL_DSCP_NONE;
	if (want & SL_WANT(LENGTH))
		p->length = SL_LENGTH_MAX + 1;
	SL_IN_MEMORY(p);
	if (!sl_parse_l2(c, p, want))
		return;
	if (p->ethertype == SL_ETHERTYPE_IP4)
		sl_parse_ip4(c, p, want);
	else if (p->ethertype == SL_ETHERTYPE_IP6)
		sl_parse_ip6(c, p, want);
}

/*
 * Has the verifier forget every fact, so that one path leads on from the
 * parser, not one for each of its outcomes. Costs some 3 ns a packet, and is
 * worth it where much follows.
 */
static __always_inline void sl_packet_forget(struct sl_packet *p, __u64 unknown)
{
	for (int i = 0; i < 2; i++) {
		SL_FORGET(p->src[i], unknown);
		SL_FORGET(p->dst[i], unknown);
	}
	SL_FORGET(p->proto, unknown);
	SL_FORGET(p->fragment, unknown);
	SL_FORGET(p->ethertype, unknown);
	SL_FORGET(p->vlan, unknown);
	SL_FORGET(p->inner_vlan, unknown);
	SL_FORGET(p->sport, unknown);
	SL_FORGET(p->dport, unknown);
	SL_FORGET(p->icmp_type, unknown);
	SL_FORGET(p->icmp_code, unknown);
	SL_FORGET(p->has_ports, unknown);
	SL_FORGET(p->has_icmp, unknown);
	SL_FORGET(p->anomaly, unknown);
	SL_FORGET(p->length, unknown);
	SL_FORGET(p->flags, unknown);
	SL_FORGET(p->dscp, unknown);
	SL_FORGET(p->has_macs, unknown);
}

#endif /* SLUICE_XDP_PACKET_H */
