/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Facts -> rule: the lookup. Each field that some rule looks at is mapped to a
 * class, which says where the bit vector of the rules that it can satisfy
 * starts; the first set bit of their conjunction is the first rule that matches.
 * The tables are built by lib/compile.c; their layout is in sluice/abi.h.
 *
 * No map and no section here: the tables are a pointer and the constants a
 * struct, so the host compiles the same code for tests and fuzzers. In the
 * kernel struct sl_gen is frozen, so the verifier knows its values and cuts
 * what these rules do not use.
 */
#ifndef SLUICE_XDP_CLASSIFY_H
#define SLUICE_XDP_CLASSIFY_H

#include "packet.h"

struct sl_tables {
	const volatile struct sl_gen *gen;
	const __u8 *base;
	__u64 last; /* the last offset that may be read: SL_TABLE_SLACK at it */
};

static __always_inline const __u8 *sl_table_at(const struct sl_tables *t,
					       __u64 offset)
{
	/* What the compare teaches must hold of the register that is added. */
	SL_KEEP(offset);
	if (offset > t->last)
		return NULL;
	return t->base + offset;
}

static __always_inline __u32 sl_table_u16(const struct sl_tables *t,
					  __u64 offset)
{
	const __u8 *p = sl_table_at(t, offset);

	return p ? *(const __u16 *)p : 0;
}

static __always_inline __u64 sl_table_u64(const struct sl_tables *t,
					  __u64 offset)
{
	const __u8 *p = sl_table_at(t, offset);

	return p ? *(const __u64 *)p : 0;
}

/* One step down a trie: a leaf (SL_TRIE_LEAF | class) or the next offset. */
static __always_inline __u32 sl_trie_step(const struct sl_tables *t,
					  __u32 offset, const __u64 address[2],
					  bool ip6)
{
	const struct sl_trie_node *n = (const void *)sl_table_at(t, offset);
	const __u8 *entry;
	__u64 word;

	if (!n)
		return SL_TRIE_LEAF;
	if ((address[0] ^ n->key[0]) & n->mask[0])
		return SL_TRIE_LEAF | n->miss;
	if (ip6 && (address[1] ^ n->key[1]) & n->mask[1])
		return SL_TRIE_LEAF | n->miss;
	word = ip6 && n->word ? address[1] : address[0];
	entry = sl_table_at(t, offset + sizeof(*n) +
				       ((word >> n->shift) & n->index_mask) *
					       sizeof(__u32));
	return entry ? *(const __u32 *)entry : SL_TRIE_LEAF;
}

static __always_inline __u32 sl_trie_lookup4(const struct sl_tables *t,
					     __u32 entry,
					     const __u64 address[2])
{
	/* Unrolled: the counter would cost as much as the step's loads. */
#pragma GCC unroll 8
	for (int i = 0; i < SL_TRIE_DEPTH4; i++) {
		entry = sl_trie_step(t, entry, address, false);
		if (entry & SL_TRIE_LEAF)
			break;
	}
	return entry & ~SL_TRIE_LEAF;
}

static __always_inline __u32 sl_trie_lookup6(const struct sl_tables *t,
					     __u32 entry,
					     const __u64 address[2])
{
	for (int i = 0; i < SL_TRIE_DEPTH6; i++) {
		entry = sl_trie_step(t, entry, address, true);
		if (entry & SL_TRIE_LEAF)
			break;
	}
	return entry & ~SL_TRIE_LEAF;
}

/* side: 0 source, 1 destination. */
static __always_inline __u32 sl_address_class(const struct sl_tables *t,
					      const struct sl_packet *p,
					      int side)
{
	const __u64 *address = side ? p->dst : p->src;

	if (p->family == SL_FAMILY_IP4)
		return sl_trie_lookup4(t, t->gen->trie4[side], address);
	if (p->family == SL_FAMILY_IP6)
		return sl_trie_lookup6(t, t->gen->trie6[side], address);
	return t->gen->class_no_address[side];
}

static __always_inline __u32 sl_port_class(const struct sl_tables *t,
					   const struct sl_packet *p, int side)
{
	__u32 port = side ? p->dport : p->sport;
	__u32 page;

	if (!p->has_ports)
		return t->gen->class_no_port[side];
	page = sl_table_u16(t,
			    t->gen->port_pages[side] + (__u64)(port >> 8) * 2);
	return sl_table_u16(t, t->gen->port_classes[side] +
				       (__u64)((page << 8) | (port & 255)) * 2);
}

static __always_inline __u32 sl_class(const struct sl_tables *t,
				      const struct sl_packet *p, int dim)
{
	switch (dim) {
	case SL_DIM_SRC:
	case SL_DIM_DST:
		return sl_address_class(t, p, dim == SL_DIM_DST);
	case SL_DIM_KIND:
		return sl_table_u16(
			t, t->gen->kind_classes +
				   (__u64)(p->family * 257 + p->proto) * 2);
	case SL_DIM_SPORT:
	case SL_DIM_DPORT:
		return sl_port_class(t, p, dim == SL_DIM_DPORT);
	case SL_DIM_FRAGMENT:
		return p->fragment * t->gen->words;
	default:
		return sl_table_u16(t,
				    t->gen->vlan_classes + (__u64)p->vlan * 2);
	}
}

/*
 * The index of the lowest set bit of x != 0. BPF has no such instruction: an
 * isolated bit times a de Bruijn sequence leaves a distinct number in the top
 * six bits (Leiserson, Prokop, Randall, "Using de Bruijn Sequences to Index a
 * 1 in a Computer Word", 1998).
 */
static const __u8 sl_debruijn[64] = {
	0,  1,	2,  53, 3,  7,	54, 27, 4,  38, 41, 8,	34, 55, 48, 28,
	62, 5,	39, 46, 44, 42, 22, 9,	24, 35, 59, 56, 49, 18, 29, 11,
	63, 52, 6,  26, 37, 40, 33, 47, 61, 45, 43, 21, 23, 58, 17, 10,
	51, 25, 36, 32, 60, 20, 57, 16, 50, 31, 19, 15, 30, 14, 13, 12,
};

static __always_inline __u32 sl_lowest_bit(__u64 x)
{
	return sl_debruijn[((x & -x) * 0x022fdd63cc95386dULL >> 58) & 63];
}

/* The position of the first rule that matches, or SL_SLOT_NONE. */
static __always_inline __u32 sl_classify(const struct sl_tables *t,
					 const struct sl_packet *p)
{
	__u32 vector[SL_DIM_COUNT] = { 0 };
	__u32 words = t->gen->words;
	__u32 dims = t->gen->dims;

#pragma GCC unroll 8
	for (int d = 0; d < SL_DIM_COUNT; d++)
		if (dims & (1u << d))
			vector[d] = t->gen->vectors[d] + sl_class(t, p, d) * 8;
#pragma GCC unroll 4
	for (__u32 w = 0; w < SL_WORDS_MAX; w++) {
		__u64 bits = ~0ULL;

		if (w >= words)
			break;
#pragma GCC unroll 8
		for (int d = 0; d < SL_DIM_COUNT; d++)
			if (dims & (1u << d))
				bits &= sl_table_u64(t,
						     (__u64)vector[d] + w * 8);
		if (bits)
			return w * 64 + sl_lowest_bit(bits);
	}
	return SL_SLOT_NONE;
}

#endif /* SLUICE_XDP_CLASSIFY_H */
