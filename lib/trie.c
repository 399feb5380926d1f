// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * How the trie is cut. A node stands for an aligned block of addresses.
 *
 * Path compression: when the class is the same on both sides of everything
 * that changes inside the block, the node tests for the smallest block that
 * holds the changes and gives all else that class (`miss`). Ten thousand
 * scattered IPv6 hosts cost a node each, not a chain of fourteen.
 *
 * Stride: a node's index ends at a multiple of four bits, so that each level
 * eats at least one more nibble and the depth is bounded (SL_TRIE_DEPTH_MAC,
 * SL_TRIE_DEPTH6); bit 64 is such a multiple, so no index crosses the words. Of
 * the possible strides the longest is taken of whose children at least a
 * quarter hold a change: fewer levels where addresses are dense, no empty
 * arrays where they are not.
 */
#include "trie.h"

#include <errno.h>
#include <stdbool.h>

#include "segments.h"
#include "sluice/abi.h"
#include "tables.h"

#define ADDRESS_BITS 128
#define FILL 4 /* one child in FILL must hold a change */

/*
 * While the tables are small a node may be wider than that: 16 rules of /16 to /24
 * prefixes then take one level less (1 ns a packet).
 */
#define SMALL_BYTES 65536
#define STRIDE_SMALL 8

struct block {
	sl_address first;
	unsigned depth;	 /* bits that are fixed: the prefix length */
	size_t from, to; /* its segments: items[from .. to], both included */
};

struct builder {
	const struct sl_segment *segments;
	struct sl_tables_builder *tables;
};

static sl_address block_mask(unsigned depth)
{
	return depth ? ~(sl_address)0 << (ADDRESS_BITS - depth) : 0;
}

static unsigned common_bits(sl_address a, sl_address b)
{
	uint64_t high = (uint64_t)((a ^ b) >> 64), low = (uint64_t)(a ^ b);

	if (high)
		return __builtin_clzll(high);
	return low ? 64 + __builtin_clzll(low) : ADDRESS_BITS;
}

/* The index of the child of a node at `depth` that holds this address. */
static uint32_t child_of(sl_address address, unsigned depth, unsigned stride)
{
	return (uint32_t)(address >> (ADDRESS_BITS - depth - stride)) &
	       ((1u << stride) - 1);
}

/* How many children, besides the first, have a change at or in them. */
static uint32_t busy_children(const struct builder *b, const struct block *k,
			      unsigned stride)
{
	uint32_t n = 0, last = UINT32_MAX;

	for (size_t i = k->from + 1; i <= k->to; i++) {
		uint32_t child =
			child_of(b->segments[i].first, k->depth, stride);

		n += child != last;
		last = child;
	}
	return n;
}

/* May the children of this node be 2^stride? */
static bool stride_pays(const struct builder *b, const struct block *k,
			unsigned stride)
{
	if (stride <= STRIDE_SMALL && b->tables->used < SMALL_BYTES)
		return true;
	return (busy_children(b, k, stride) + 1) * FILL >= 1u << stride;
}

static unsigned choose_stride(const struct builder *b, const struct block *k)
{
	unsigned stride = SL_TRIE_STRIDE_MIN - k->depth % SL_TRIE_STRIDE_MIN;
	unsigned longer;

	for (longer = stride + SL_TRIE_STRIDE_MIN; longer <= SL_TRIE_STRIDE_MAX;
	     longer += SL_TRIE_STRIDE_MIN) {
		if (k->depth < 64 && k->depth + longer > 64)
			break;
		if (k->depth + longer > ADDRESS_BITS)
			break;
		if (!stride_pays(b, k, longer))
			break;
		stride = longer;
	}
	return stride;
}

/* Narrows the block to what changes, if all else in it has one class. */
static bool compress(const struct builder *b, struct block *k)
{
	const struct sl_segment *s = b->segments;
	sl_address first_change, last_changed, mask;

	if (k->from == k->to || s[k->from].class_id != s[k->to].class_id)
		return false;
	first_change = s[k->from + 1].first;
	last_changed = s[k->to].first - 1;
	k->depth = common_bits(first_change, last_changed);
	mask = block_mask(k->depth);
	k->first = first_change & mask;
	if (first_change == k->first)
		k->from++;
	if ((s[k->to].first & mask) != k->first)
		k->to--;
	return true;
}

/* The entries of the node at this offset, until the tables grow. */
static uint32_t *first_entry(const struct builder *b, uint32_t offset)
{
	return sl_tables_pointer(b->tables,
				 offset + sizeof(struct sl_trie_node));
}

static int64_t build_block(const struct builder *b, struct block k);

static int fill_children(const struct builder *b, const struct block *k,
			 uint32_t offset, unsigned stride)
{
	/* depth + stride <= ADDRESS_BITS: choose_stride() sees to that. */
	/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
	sl_address step = (sl_address)1 << (ADDRESS_BITS - k->depth - stride);
	size_t from = k->from;

	for (uint32_t i = 0; i < 1u << stride; i++) {
		struct block child = { k->first + i * step, k->depth + stride,
				       from, from };
		sl_address last = child.first + (step - 1);
		int64_t entry;

		while (child.from < k->to &&
		       b->segments[child.from + 1].first <= child.first)
			child.from++;
		child.to = child.from;
		while (child.to < k->to &&
		       b->segments[child.to + 1].first <= last)
			child.to++;
		from = child.to;
		entry = build_block(b, child);
		if (entry < 0)
			return (int)entry;
		first_entry(b, offset)[i] = (uint32_t)entry;
	}
	return 0;
}

static void write_node(const struct builder *b, uint32_t offset,
		       const struct block *k, unsigned stride, int64_t miss)
{
	struct sl_trie_node *node = sl_tables_pointer(b->tables, offset);
	sl_address mask = miss < 0 ? 0 : block_mask(k->depth);
	unsigned end = k->depth + stride;
	unsigned shift = end > 64 ? ADDRESS_BITS - end : 64 - end;

	*node = (struct sl_trie_node){
		.key = { (uint64_t)(k->first >> 64), (uint64_t)k->first },
		.mask = { (uint64_t)(mask >> 64), (uint64_t)mask },
		.miss = miss < 0 ? 0 : (uint32_t)miss,
		.index_mask = (uint8_t)((1u << stride) - 1),
		.word = end > 64,
		/* At end 0 the index has no bits; a shift by 64 is undefined. */
		.shift = (uint8_t)(end ? shift : 0),
	};
}

static int64_t build_node(const struct builder *b, struct block k)
{
	int64_t outside = b->segments[k.from].class_id;
	int64_t miss = compress(b, &k) ? outside : -1;
	unsigned stride = k.from == k.to ? 0 : choose_stride(b, &k);
	int64_t offset;
	int err;

	offset = sl_tables_reserve(b->tables,
				   sizeof(struct sl_trie_node) +
					   (sizeof(uint32_t) << stride));
	if (offset < 0)
		return offset;
	write_node(b, (uint32_t)offset, &k, stride, miss);
	if (stride == 0) {
		*first_entry(b, (uint32_t)offset) =
			SL_TRIE_LEAF | b->segments[k.from].class_id;
		return offset;
	}
	err = fill_children(b, &k, (uint32_t)offset, stride);
	return err ? err : offset;
}

/* What stands for the block in its parent's array, or -errno. */
static int64_t build_block(const struct builder *b, struct block k)
{
	if (k.from == k.to)
		return SL_TRIE_LEAF | b->segments[k.from].class_id;
	return build_node(b, k);
}

int64_t sl_trie_build(const struct sl_segments *segments,
		      struct sl_tables_builder *tables)
{
	struct builder b = { segments->items, tables };
	struct block all = { 0, 0, 0, segments->n_items - 1 };

	return build_node(&b, all);
}
