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
	size_t at; /* the segment that holds the address under way */
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

/* -EFBIG when the value needs wider entries. */
static int set_entry(const struct builder *b, size_t offset, uint32_t i,
		     bool leaf, uint32_t value)
{
	void *entries = sl_tables_pointer(b->tables, (uint32_t)offset);
	uint32_t top = 1u << (b->shape.entry_bytes * 8 - 1);

	if (value >= top)
		return -EFBIG;
	if (leaf)
		value |= top;
	if (b->shape.entry_bytes == sizeof(uint16_t))
		((uint16_t *)entries)[i] = (uint16_t)value;
	else
		((uint32_t *)entries)[i] = value;
	return 0;
}

static int fill(struct builder *b, size_t offset, uint32_t block, unsigned bits,
		unsigned index_bits);

/* Where the new node for the 2^bits addresses at `block` begins, or -errno. */
static int64_t add_node(struct builder *b, uint32_t block, unsigned bits)
{
	unsigned index_bits = bits == 32 - SL_ARRAY4_ROOT_BITS ?
				      b->shape.bits :
				      b->shape.deeper;
	size_t entry = b->shape.entry_bytes;
	int64_t offset = sl_tables_reserve(b->tables, entry << index_bits);
	int err;

	if (offset < 0)
		return offset;
	/* What small entries reach is what the lookup masks with. */
	if (entry == sizeof(uint16_t) &&
	    (size_t)offset - b->nodes + (entry << index_bits) > SL_ARRAY4_BYTES)
		return -EFBIG;
	/* NOLINTNEXTLINE(misc-no-recursion): four levels */
	err = fill(b, (size_t)offset, block, bits, index_bits);
	if (err)
		return err;
	return (offset - b->nodes) / (int64_t)(entry << SL_ARRAY4_STRIDE);
}

/* Fills the 2^index_bits entries at `offset`. */
/* NOLINTNEXTLINE(misc-no-recursion) */
static int fill(struct builder *b, size_t offset, uint32_t block, unsigned bits,
		unsigned index_bits)
{
	unsigned rest = bits - index_bits; /* address bits below the entry */

	for (uint32_t i = 0; i < 1u << index_bits; i++) {
		uint32_t first = block + (i << rest);
		int64_t value;
		bool leaf;
		int err;

		while (b->at + 1 < b->segments->n_items &&
		       first_of(b, b->at + 1) <= first)
			b->at++;
		leaf = is_uniform(b, first, rest);
		value = leaf ? b->segments->items[b->at].class_id :
			       add_node(b, first, rest);
		if (value < 0)
			return (int)value;
		err = set_entry(b, offset, i, leaf, (uint32_t)value);
		if (err)
			return err;
	}
	return 0;
}

static int build(const struct sl_segments *segments,
		 struct sl_tables_builder *tables, struct sl_array4 *shape)
{
	size_t entries = (size_t)1 << SL_ARRAY4_ROOT_BITS;
	struct builder b = { .segments = segments,
			     .tables = tables,
			     .shape = *shape };
	int64_t root = sl_tables_reserve(tables, entries * shape->entry_bytes);

	if (root < 0)
		return (int)root;
	b.nodes = (uint32_t)tables->used;
	shape->root = (uint32_t)root;
	shape->nodes = b.nodes;
	return fill(&b, (size_t)root, 0, 32, SL_ARRAY4_ROOT_BITS);
}

int sl_array4_build(const struct sl_segments *segments,
		    struct sl_tables_builder *tables, struct sl_array4 *array)
{
	struct sl_array4 shapes[] = {
		{ .entry_bytes = 2, .bits = 8, .deeper = 8 },
		{ .entry_bytes = 2, .bits = 8, .deeper = 4 },
		{ .entry_bytes = 2, .bits = 4, .deeper = 4 },
		{ .entry_bytes = 4, .bits = 4, .deeper = 4 },
	};
	size_t used = tables->used;
	int err = -EFBIG;

	for (size_t i = 0;
	     i < sizeof(shapes) / sizeof(*shapes) && err == -EFBIG; i++) {
		sl_tables_shrink(tables, used);
		err = build(segments, tables, &shapes[i]);
		if (!err)
			*array = shapes[i];
	}
	return err;
}
