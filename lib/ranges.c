// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * One sweep over the values. At each value at which something begins or ends
 * the vector is computed anew from the ranges that are open; `open` is a
 * compact array, because few are open at a time.
 */
#include "ranges.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "classes.h"

/*
 * Sorts by the low end, by counting: n is up to a hundred ranges a rule, the
 * values are few.
 */
static int sort_ranges(struct sl_range *ranges, size_t n, uint32_t n_values)
{
	struct sl_range *sorted = calloc(n + 1, sizeof(*sorted));
	size_t *place = calloc((size_t)n_values + 1, sizeof(*place));

	if (!sorted || !place) {
		free(sorted);
		free(place);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++)
		place[ranges[i].low + 1]++;
	for (uint32_t v = 0; v < n_values; v++)
		place[v + 1] += place[v];
	for (size_t i = 0; i < n; i++)
		sorted[place[ranges[i].low]++] = ranges[i];
	memcpy(ranges, sorted, n * sizeof(*ranges));
	free(sorted);
	free(place);
	return 0;
}

struct sweep {
	const struct sl_range *ranges; /* by their low end */
	size_t n_ranges;
	const uint64_t *base;
	struct sl_classes *classes;
	const struct sl_range **open;
	size_t n_open;
	uint64_t *vector;
};

/* Closes what ended before `value`; where the next change is, at the latest. */
static uint32_t close_ranges(struct sweep *s, uint32_t value, uint32_t limit)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->n_open; i++) {
		if (s->open[i]->high < value)
			continue;
		if (s->open[i]->high + 1 < limit)
			limit = s->open[i]->high + 1;
		s->open[kept++] = s->open[i];
	}
	s->n_open = kept;
	return limit;
}

/* The class of the values for which the open ranges hold. */
static int64_t open_class(struct sweep *s)
{
	memcpy(s->vector, s->base, s->classes->words * sizeof(*s->base));
	for (size_t i = 0; i < s->n_open; i++)
		sl_bit_set(s->vector, s->open[i]->rule);
	return sl_classes_add(s->classes, s->vector);
}

static int run_sweep(struct sweep *s, uint32_t n_values, uint32_t *map)
{
	size_t next = 0;
	uint32_t value = 0;

	while (value < n_values) {
		uint32_t until = n_values;
		int64_t class_id;

		for (; next < s->n_ranges && s->ranges[next].low == value;
		     next++)
			s->open[s->n_open++] = &s->ranges[next];
		if (next < s->n_ranges && s->ranges[next].low < until)
			until = s->ranges[next].low;
		until = close_ranges(s, value, until);
		class_id = open_class(s);
		if (class_id < 0)
			return (int)class_id;
		for (; value < until; value++)
			map[value] = (uint32_t)class_id;
	}
	return 0;
}

int sl_ranges_map(struct sl_range *ranges, size_t n, uint32_t n_values,
		  const uint64_t *base, struct sl_classes *classes,
		  uint32_t *map)
{
	struct sweep s = {
		.ranges = ranges,
		.n_ranges = n,
		.base = base,
		.classes = classes,
	};
	int err = sort_ranges(ranges, n, n_values);

	s.open = calloc(n + 1, sizeof(*s.open));
	s.vector = calloc(classes->words, sizeof(*s.vector));
	if (!s.open || !s.vector)
		err = -ENOMEM;
	if (!err)
		err = run_sweep(&s, n_values, map);
	free(s.open);
	free(s.vector);
	return err;
}
