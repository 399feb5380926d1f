/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Segments -> the IPv4 arrays of sluice/abi.h (SL_ARRAY4_ROOT_BITS).
 */
#ifndef SLUICE_ARRAY4_H
#define SLUICE_ARRAY4_H

#include <stdint.h>

struct sl_segments;
struct sl_tables_builder;

struct sl_array4 {
	uint32_t root;	/* offset */
	uint32_t nodes; /* offset of node 0 */
	uint32_t mask;	/* entries from there that a lookup may read, - 1 */
	uint8_t entry_bytes;
	uint8_t class_bits;
	uint8_t bits;	/* that the first node below the root looks at */
	uint8_t deeper; /* and the others */
	uint8_t steps;	/* the deepest node, counted from 1 below the root */
};

/*
 * Appends the arrays of `segments`, which cut the IPv4 space, to `tables`. 0
 * and *array says where; or -ENOMEM, or -E2BIG, and the tables may have grown.
 */
int sl_array4_build(const struct sl_segments *segments,
		    struct sl_tables_builder *tables, struct sl_array4 *array);

#endif /* SLUICE_ARRAY4_H */
