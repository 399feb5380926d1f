/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A small field (at most 65,536 values) -> class array, by a sweep over the
 * ends of the ranges that rules ask for. Serves ports and VLAN ids.
 */
#ifndef SLUICE_RANGES_H
#define SLUICE_RANGES_H

#include <stddef.h>
#include <stdint.h>

struct sl_classes;

/* Rule `rule` matches the values low..high. */
struct sl_range {
	uint32_t low, high; /* inclusive */
	size_t rule;
};

/*
 * Writes the class of each value 0..n_values-1 to `map`. `base` is the vector
 * of the rules that ask nothing of the field. `ranges` is sorted in place. 0
 * or -ENOMEM.
 */
int sl_ranges_map(struct sl_range *ranges, size_t n, uint32_t n_values,
		  const uint64_t *base, struct sl_classes *classes,
		  uint32_t *map);

#endif /* SLUICE_RANGES_H */
