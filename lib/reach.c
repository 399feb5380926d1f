// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "reach.h"

#include "classes.h"
#include "compile.h"

size_t sl_reach_dense(const struct sl_compiled *compiled, uint64_t *reached)
{
	const uint32_t *cells =
		(const uint32_t *)(compiled->tables + compiled->gen.dense);
	uint64_t keys = compiled->gen.keys;
	size_t most = 0;

	for (uint64_t key = 0; key < keys; key++) {
		uint32_t found = cells[key]; /* a position, one up */
		size_t steps = 0;

		while (found) {
			const struct sl_compiled_rule *r =
				&compiled->rules[found - 1];

			if (reached)
				sl_bit_set(reached, found - 1);
			if (!r->step.resume)
				break;
			steps++;
			found = cells[r->step.resume * keys + key];
		}
		if (steps > most)
			most = steps;
	}
	return most;
}
