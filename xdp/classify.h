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

/*
 * The loads say false for an offset that is not in the tables, which the
 * compiler (lib/compile.c) never makes: the verifier then has one path to
 * follow behind each load, not one for the value and one for its stand-in.
 */
static __always_inline bool sl_table_u32(const struct sl_tables *t,
					 __u64 offset, __u32 *value)
{
	const __u8 *p = sl_table_at(t, offset);

	if (!p)
		return false;
	*value = *(const __u32 *)p;
	return true;
}

/*
 * One step down a trie: *entry is the offset of a node, and becomes the next one's or
 * a leaf (SL_TRIE_LEAF | class).
 */
static __always_inline bool sl_trie_step(const struct sl_tables *t,
					 __u32 *entry, const __u64 address[2],
					 bool ip6)
{
	const struct sl_trie_node *n = (const void *)sl_table_at(t, *entry);
	__u64 word;

	if (!n)
		return false;
	if ((address[0] ^ n->key[0]) & n->mask[0] ||
	    (ip6 && (address[1] ^ n->key[1]) & n->mask[1])) {
		*entry = SL_TRIE_LEAF | n->miss;
		return true;
	}
	word = ip6 && n->word ? address[1] : address[0];
	*entry = ((const __u32 *)(n + 1))[(word >> n->shift) & n->index_mask];
	return true;
}

static __always_inline bool sl_trie_lookup4(const struct sl_tables *t,
					    __u32 root, const __u64 address[2],
					    __u32 *class_id)
{
	__u32 entry = root;

	/* Unrolled: the counter would cost as much as the step's loads. */
#pragma GCC unroll 8
	for (int i = 0; i < SL_TRIE_DEPTH4; i++) {
		if (!sl_trie_step(t, &entry, address, false))
			return false;
		if (entry & SL_TRIE_LEAF)
			break;
	}
	*class_id = entry & ~SL_TRIE_LEAF;
	return true;
}

static __always_inline bool sl_trie_lookup6(const struct sl_tables *t,
					    __u32 root, const __u64 address[2],
					    __u32 *class_id)
{
	__u32 entry = root;

	for (int i = 0; i < SL_TRIE_DEPTH6; i++) {
		if (!sl_trie_step(t, &entry, address, true))
			return false;
		if (entry & SL_TRIE_LEAF)
			break;
	}
	*class_id = entry & ~SL_TRIE_LEAF;
	return true;
}

/* side: 0 source, 1 destination. */
static __always_inline bool sl_address_class(const struct sl_tables *t,
					     const struct sl_packet *p,
					     int side, __u32 *class_id)
{
	const __u64 *address = side ? p->dst : p->src;

	if (p->family == SL_FAMILY_IP4)
		return sl_trie_lookup4(t, t->gen->trie4[side], address,
				       class_id);
	if (p->family == SL_FAMILY_IP6)
		return sl_trie_lookup6(t, t->gen->trie6[side], address,
				       class_id);
	*class_id = t->gen->class_no_address[side];
	return true;
}

static __always_inline bool sl_port_class(const struct sl_tables *t,
					  const struct sl_packet *p, int side,
					  __u32 *class_id)
{
	__u16 port = side ? p->dport : p->sport;
	__u32 page;

	if (!p->has_ports) {
		*class_id = t->gen->class_no_port[side];
		return true;
	}
	/* The verifier knows where the pages are and that there are 256. */
	page = ((const __u16 *)(t->base + t->gen->port_pages[side]))[port >> 8];
	return sl_table_u32(t,
			    t->gen->port_classes[side] +
				    (__u64)((page << 8) | (port & 255)) * 4,
			    class_id);
}

/* The packet's class in one dimension. */
static __always_inline bool sl_class(const struct sl_tables *t,
				     const struct sl_packet *p, int dim,
				     __u32 *class_id)
{
	switch (dim) {
	case SL_DIM_SRC:
	case SL_DIM_DST:
		return sl_address_class(t, p, dim == SL_DIM_DST, class_id);
	case SL_DIM_KIND:
		return sl_table_u32(
			t,
			t->gen->kind_classes +
				(__u64)(p->family * 257 + p->proto) * 4,
			class_id);
	case SL_DIM_SPORT:
	case SL_DIM_DPORT:
		return sl_port_class(t, p, dim == SL_DIM_DPORT, class_id);
	case SL_DIM_FRAGMENT:
		*class_id = p->fragment * t->gen->words;
		return true;
	default:
		return sl_table_u32(
			t, t->gen->vlan_classes + (__u64)p->vlan * 4, class_id);
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
	const __u64 *vector[SL_DIM_COUNT] = { NULL };
	__u32 dims = t->gen->dims;

	/*
	 * One look at the bounds for a whole vector, which the slack at the end
	 * of the tables allows. A look for each word leads Linux 6.12 onto
	 * paths where the offset can have no value, and there it refuses.
	 */
#pragma GCC unroll 8
	for (int d = 0; d < SL_DIM_COUNT; d++) {
		__u32 class_id = 0;

		if (!(dims & (1u << d)))
			continue;
		if (!sl_class(t, p, d, &class_id))
			return SL_SLOT_NONE;
		vector[d] = (const void *)sl_table_at(
			t, t->gen->vectors[d] + (__u64)class_id * 8);
		if (!vector[d])
			return SL_SLOT_NONE;
	}
#pragma GCC unroll 4
	for (__u32 w = 0; w < SL_WORDS_MAX; w++) {
		__u64 bits = ~0ULL;

		if (w >= t->gen->words)
			break;
#pragma GCC unroll 8
		for (int d = 0; d < SL_DIM_COUNT; d++)
			if (dims & (1u << d))
				bits &= vector[d][w];
		if (bits)
			return w * 64 + sl_lowest_bit(bits);
	}
	return SL_SLOT_NONE;
}

_Static_assert(SL_WORDS_MAX * sizeof(__u64) <= SL_TABLE_SLACK,
	       "a vector is readable at any offset that sl_table_at() lets by");

#endif /* SLUICE_XDP_CLASSIFY_H */
