/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * An address space cut into segments: runs of addresses that satisfy the same
 * rules. Addresses are 128-bit integers; an IPv4 address stands in the top 32
 * bits, so one piece of code serves both families.
 */
#ifndef SLUICE_SEGMENTS_H
#define SLUICE_SEGMENTS_H

#include <stddef.h>
#include <stdint.h>

struct sl_classes;
struct sl_prefix;

typedef unsigned __int128 sl_address;

/* Addresses from `first` up to the next segment's first have this class. */
struct sl_segment {
	sl_address first;
	uint32_t class_id;
};

struct sl_segments {
	struct sl_segment *items; /* ascending; items[0].first == 0 */
	size_t n_items;
};

/* What one rule (bit `rule` of the vectors) asks of the address. */
struct sl_address_condition {
	size_t rule;
	const struct sl_prefix *prefixes;
	size_t n_prefixes;
	int negated;
};

/*
 * Cuts the space of `family` (4 or 6) by n conditions. `base` is the vector of
 * the rules that ask nothing of the address; the classes go to `classes`.
 * 0 and *segments is the caller's, or -ENOMEM.
 */
int sl_segments_build(int family, const struct sl_address_condition *conditions,
		      size_t n, const uint64_t *base,
		      struct sl_classes *classes, struct sl_segments *segments);

void sl_segments_fini(struct sl_segments *segments);

#endif /* SLUICE_SEGMENTS_H */
