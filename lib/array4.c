// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Nodes are laid out as they are met on the way down, so those of one path lie
 * close together. Of four shapes the first is taken that holds the set: each
 * takes less memory than the one before, or reaches further.
 */
#include "array4.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "segments.h"
#include "sluice/abi.h"
#include "tables.h"

struct builder {
	const struct sl_segments *segments;
	struct sl_tables_builder *tables;
	uint32_t nodes; /* their offset */
	struct sl_array4 shape;
	size_t most; /* bytes that the nodes may take */
	size_t at;   /* the segment that holds the address under way */
};

static uint32_t first_of(const struct builder *b, size_t segment)
{
	return (uint32_t)(b->segments->items[segment].first >> 96);
}

/* Does the segment under way, which holds `first`, hold all 2^bits addresses? */
static bool is_uniform(const struct builder *b, uint32_t first, unsigned bits)
{
	uint32_t last = first + ((1u << bits) - 1);

	return b->at + 1 == b->segments->n_items ||
	       first_of(b, b->at + 1) > last;
}

/* -EFBIG when the entry needs to be wider. */
static int set_entry(const struct builder *b, size_t offset, uint32_t i,
		     bool leaf, uint64_t value)
{
	void *entries = sl_tables_pointer(b->tables, (uint32_t)offset);
	bool narrow = b->shape.entry_bytes == sizeof(uint32_t);

	if (narrow &&
	    value >> (leaf ? SL_ARRAY4_CLASS_BITS : SL_ARRAY4_NODE_BITS))
		return -EFBIG;
	if (!leaf)
		value <<= b->shape.class_bits;
	if (narrow)
		((uint32_t *)entries)[i] = (uint32_t)value;
	else
		((uint64_t *)entries)[i] = value;
	return 0;
}

/* The address bits that an entry at this depth looks at. */
static unsigned index_bits(const struct builder *b, unsigned depth)
{
	if (depth == 0)
		return SL_ARRAY4_ROOT_BITS;
	return depth == 1 ? b->shape.bits : b->shape.deeper;
}

static int fill(struct builder *b, size_t offset, uint32_t block, unsigned bits,
		unsigned depth);

/* Where the new node for the 2^bits addresses at `block` begins, or -errno. */
static int64_t add_node(struct builder *b, uint32_t block, unsigned bits,
			unsigned depth)
{
	size_t bytes = (size_t)b->shape.entry_bytes << index_bits(b, depth);
	int64_t offset = sl_tables_reserve(b->tables, bytes);
	int err;

	if (offset < 0)
		return offset;
	if (b->tables->used - b->nodes > b->most)
		return -EFBIG;
	if (depth > b->shape.steps)
		b->shape.steps = (uint8_t)depth;
	/* NOLINTNEXTLINE(misc-no-recursion): four levels */
	err = fill(b, (size_t)offset, block, bits, depth);
	if (err)
		return err;
	return (offset - b->nodes) /
	       (int64_t)((size_t)b->shape.entry_bytes << SL_ARRAY4_STRIDE);
}

/* Fills the entries at `offset`. */
/* NOLINTNEXTLINE(misc-no-recursion) */
static int fill(struct builder *b, size_t offset, uint32_t block, unsigned bits,
		unsigned depth)
{
	unsigned rest = bits - index_bits(b, depth); /* below the entry */

	for (uint32_t i = 0; i < 1u << index_bits(b, depth); i++) {
		uint32_t first = block + (i << rest);
		int64_t value;
		bool leaf;
		int err;

		while (b->at + 1 < b->segments->n_items &&
		       first_of(b, b->at + 1) <= first)
			b->at++;
		leaf = is_uniform(b, first, rest);
		value = leaf ? b->segments->items[b->at].class_id :
			       add_node(b, first, rest, depth + 1);
		if (value < 0)
			return (int)value;
		err = set_entry(b, offset, i, leaf, (uint64_t)value);
		if (err)
			return err;
	}
	return 0;
}

static int build(struct builder *b)
{
	size_t entry = b->shape.entry_bytes, nodes;
	int64_t root, zeros;
	int err;

	root = sl_tables_reserve_aligned(b->tables,
					 entry << SL_ARRAY4_ROOT_BITS);
	zeros = sl_tables_reserve(b->tables, entry << b->shape.bits);
	if (root < 0 || zeros < 0)
		return root < 0 ? (int)root : (int)zeros;
	b->nodes = (uint32_t)zeros;
	b->shape.root = (uint32_t)root;
	b->shape.nodes = b->nodes;
	err = fill(b, (size_t)root, 0, 32, 0);
	if (err)
		return err;
	nodes = (b->tables->used - b->nodes) / entry;
	while (b->shape.mask + 1 < nodes)
		b->shape.mask = b->shape.mask << 1 | 1;
	sl_tables_reach(b->tables,
			b->nodes + ((size_t)b->shape.mask + 1) * entry);
	return 0;
}

/* What nodes of 8 bits may take: more, and the smaller ones cost less. */
#define LARGE_BYTES_MAX ((size_t)1 << 20)

int sl_array4_build(const struct sl_segments *segments,
		    struct sl_tables_builder *tables, struct sl_array4 *array)
{
	const struct builder builders[] = {
		{ .shape = { .entry_bytes = 4,
			     .class_bits = SL_ARRAY4_CLASS_BITS,
			     .bits = 8,
			     .deeper = 8 },
		  .most = LARGE_BYTES_MAX },
		{ .shape = { .entry_bytes = 4,
			     .class_bits = SL_ARRAY4_CLASS_BITS,
			     .bits = 8,
			     .deeper = 4 },
		  .most = LARGE_BYTES_MAX },
		{ .shape = { .entry_bytes = 4,
			     .class_bits = SL_ARRAY4_CLASS_BITS,
			     .bits = 4,
			     .deeper = 4 },
		  .most = SIZE_MAX },
		{ .shape = { .entry_bytes = 8,
			     .class_bits = 32,
			     .bits = 4,
			     .deeper = 4 },
		  .most = SIZE_MAX },
	};
	size_t used = tables->used;
	int err = -EFBIG;

	for (size_t i = 0;
	     i < sizeof(builders) / sizeof(*builders) && err == -EFBIG; i++) {
		struct builder b = builders[i];

		sl_tables_shrink(tables, used);
		b.segments = segments;
		b.tables = tables;
		err = build(&b);
		if (!err)
			*array = b.shape;
	}
	return err;
}
