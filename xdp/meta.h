/* SPDX-License-Identifier: GPL-2.0-only */
/* What goes with a packet to the forwarder (sluice/meta.h). */
#ifndef SLUICE_XDP_META_H
#define SLUICE_XDP_META_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "maps.h"
#include "packet.h"
#include "sluice/meta.h"

/* What is known of a packet, in a word: what a global function takes. */
struct sl_facts {
	__u16 sport, dport; /* 0: there are none */
	__u8 proto;
	__u8 l3;      /* 0: not IP */
	__u8 flags;   /* SL_META_* */
	__u8 unknown; /* something could not be read */
};

union sl_facts_word {
	struct sl_facts facts;
	__u64 word;
};

static __always_inline __u64 sl_facts(const struct sl_packet *p)
{
	union sl_facts_word u = { .word = 0 };

	if (p->vlan != SL_VLAN_NONE)
		u.facts.flags |= SL_META_VLAN;
	if (p->inner_vlan != SL_VLAN_NONE)
		u.facts.flags |= SL_META_QINQ;
	u.facts.unknown = p->anomaly != SL_REASON_DEFAULT;
	if (p->family == SL_FAMILY_NONE)
		return u.word;
	u.facts.flags |= p->family == SL_FAMILY_IP4 ? SL_META_IP4 : SL_META_IP6;
	if (p->fragment == SL_FRAGMENT_FIRST)
		u.facts.flags |= SL_META_FIRST;
	if (p->fragment == SL_FRAGMENT_LATER)
		u.facts.flags |= SL_META_LATER;
	u.facts.l3 = SL_ETH_BYTES;
	if (u.facts.flags & SL_META_VLAN)
		u.facts.l3 += SL_VLAN_BYTES;
	if (u.facts.flags & SL_META_QINQ)
		u.facts.l3 += SL_VLAN_BYTES;
	u.facts.proto = (__u8)p->proto;
	if (p->has_ports) {
		u.facts.sport = p->sport;
		u.facts.dport = p->dport;
	}
	return u.word;
}

/* Where the upper layer begins; 0: not known, or not in this fragment. */
static __always_inline __u16 sl_meta_l4(struct xdp_md *ctx,
					const struct sl_facts *facts)
{
	const __u8 *data = (void *)(long)ctx->data;
	const __u8 *end = (void *)(long)ctx->data_end;
	union {
		__u64 word;
		struct sl_walk walk;
	} u = { 0 };
	__u32 l3 = facts->l3 & 31;
	const __u8 *h = data + l3;

	SL_KEEP(h); /* one pointer, of which the verifier knows the bound */
	if (!l3 || facts->unknown || facts->flags & SL_META_LATER)
		return 0;
	if (h + SL_IP4_BYTES > end)
		return 0; /* cannot be: it was parsed */
	if (facts->flags & SL_META_IP4)
		return l3 + (h[0] & 0x0f) * 4;
	if (h[6] == facts->proto)
		return l3 + SL_IP6_BYTES;
	u.walk.offset = l3 + SL_IP6_BYTES;
	u.walk.next = h[6];
	u.word = sl_walk_ext_checked(ctx, u.word, SL_WALK_OFFSET_MAX);
	return u.walk.status == SL_WALK_END ? u.walk.offset : 0;
}

/*
 * Puts the metadata in front of the packet, in place of what another program
 * left there; with `hop`, the kernel's answer. False: there is no room for it.
 */
static __always_inline bool sl_meta_put(struct xdp_md *ctx, __u64 word,
					__u32 slot, const struct sl_hop *hop)
{
	union sl_facts_word u = { .word = word };
	__u16 l4 = sl_meta_l4(ctx, &u.facts);
	struct sl_meta *meta;
	int room = (int)(ctx->data - ctx->data_meta);

	if (bpf_xdp_adjust_meta(ctx, room - (int)sizeof(*meta)))
		return false;
	meta = (void *)(long)ctx->data_meta;
	if ((void *)(meta + 1) > (void *)(long)ctx->data)
		return false; /* cannot be: it was made */
	meta->magic = SL_META_MAGIC;
	meta->generation = (__u32)sl_gen.generation;
	meta->slot = slot;
	meta->ifindex = hop ? hop->ifindex : 0;
	meta->l4 = l4;
	meta->l3 = u.facts.l3;
	meta->flags = u.facts.flags | (hop ? SL_META_ROUTE : 0);
	if (hop) {
		__builtin_memcpy(meta->mac_dst, hop->mac_dst, 6);
		__builtin_memcpy(meta->mac_src, hop->mac_src, 6);
	}
	return true;
}

#endif /* SLUICE_XDP_META_H */
