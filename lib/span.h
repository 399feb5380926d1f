/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Sets of numbers as sorted intervals, none of which touch. Numbers have 128
 * bits, so that addresses, MACs and ports are all one thing.
 */
#ifndef SLUICE_SPAN_H
#define SLUICE_SPAN_H

#include <stdbool.h>
#include <stddef.h>

#include "segments.h"

struct sl_interval {
	sl_address low, high; /* inclusive */
};

/* The intervals are not owned: they live in a struct sl_span_pool, or forever. */
struct sl_span {
	const struct sl_interval *items;
	size_t n_items; /* 0: the empty set */
};

/* Where intervals live. Start from { 0 }; sl_span_pool_fini() frees them all. */
struct sl_span_pool {
	void **blocks;
	size_t n_blocks;
};

void sl_span_pool_fini(struct sl_span_pool *pool);

/* Room for n intervals in the pool, zeroed; NULL: no memory. */
struct sl_interval *sl_span_room(struct sl_span_pool *pool, size_t n);

/* The set of these intervals, which may overlap. Sorts and joins them in place. */
struct sl_span sl_span_of(struct sl_interval *items, size_t n);

/* *out = a and b; *out = all up to `last` but a. 0, or -ENOMEM. */
int sl_span_intersect(struct sl_span_pool *pool, struct sl_span a,
		      struct sl_span b, struct sl_span *out);
int sl_span_invert(struct sl_span_pool *pool, struct sl_span a, sl_address last,
		   struct sl_span *out);

/* Is every number of `a` in `b`? */
bool sl_span_within(struct sl_span a, struct sl_span b);

#endif /* SLUICE_SPAN_H */
