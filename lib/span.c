// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "span.h"

#include <errno.h>
#include <stdlib.h>

#include "array.h"

void sl_span_pool_fini(struct sl_span_pool *pool)
{
	for (size_t i = 0; i < pool->n_blocks; i++)
		free(pool->blocks[i]);
	free(pool->blocks);
	*pool = (struct sl_span_pool){ 0 };
}

struct sl_interval *sl_span_room(struct sl_span_pool *pool, size_t n)
{
	void **blocks =
		sl_array_room(pool->blocks, pool->n_blocks, sizeof(*blocks));
	struct sl_interval *room;

	if (!blocks)
		return NULL;
	pool->blocks = blocks;
	room = calloc(n + 1, sizeof(*room));
	if (room)
		blocks[pool->n_blocks++] = room;
	return room;
}

static int compare_intervals(const void *a, const void *b)
{
	const struct sl_interval *x = a, *y = b;

	return (x->low > y->low) - (x->low < y->low);
}

struct sl_span sl_span_of(struct sl_interval *items, size_t n)
{
	size_t kept = 0;

	if (n > 1)
		qsort(items, n, sizeof(*items), compare_intervals);
	for (size_t i = 0; i < n; i++) {
		struct sl_interval *last = kept ? &items[kept - 1] : NULL;

		if (last && (items[i].low <= last->high ||
			     items[i].low - 1 == last->high)) {
			if (items[i].high > last->high)
				last->high = items[i].high;
			continue;
		}
		items[kept++] = items[i];
	}
	return (struct sl_span){ items, kept };
}

int sl_span_intersect(struct sl_span_pool *pool, struct sl_span a,
		      struct sl_span b, struct sl_span *out)
{
	struct sl_interval *items = sl_span_room(pool, a.n_items + b.n_items);
	size_t i = 0, j = 0, n = 0;

	if (!items)
		return -ENOMEM;
	while (i < a.n_items && j < b.n_items) {
		const struct sl_interval *x = &a.items[i], *y = &b.items[j];
		sl_address low = x->low > y->low ? x->low : y->low;
		sl_address high = x->high < y->high ? x->high : y->high;

		if (low <= high)
			items[n++] = (struct sl_interval){ low, high };
		if (x->high < y->high)
			i++;
		else
			j++;
	}
	*out = (struct sl_span){ items, n };
	return 0;
}

int sl_span_invert(struct sl_span_pool *pool, struct sl_span a, sl_address last,
		   struct sl_span *out)
{
	struct sl_interval *items = sl_span_room(pool, a.n_items + 1);
	sl_address next = 0;
	size_t n = 0;

	if (!items)
		return -ENOMEM;
	for (size_t i = 0; i < a.n_items; i++) {
		if (a.items[i].low > next)
			items[n++] = (struct sl_interval){ next,
							   a.items[i].low - 1 };
		next = a.items[i].high + 1;
	}
	/* An interval to the very end leaves nothing, and wraps `next`. */
	if (!a.n_items || a.items[a.n_items - 1].high < last)
		items[n++] = (struct sl_interval){ next, last };
	*out = (struct sl_span){ items, n };
	return 0;
}

/* The last interval that begins at or before `value`, or NULL. */
static const struct sl_interval *find(struct sl_span span, sl_address value)
{
	size_t low = 0, high = span.n_items;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (span.items[middle].low <= value)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &span.items[low - 1] : NULL;
}

bool sl_span_within(struct sl_span a, struct sl_span b)
{
	if (a.items == b.items && a.n_items == b.n_items)
		return true;
	for (size_t i = 0; i < a.n_items; i++) {
		const struct sl_interval *around = find(b, a.items[i].low);

		if (!around || around->high < a.items[i].high)
			return false;
	}
	return true;
}
