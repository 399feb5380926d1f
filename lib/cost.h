/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What a packet will cost, by a model: the lookup's reads, counted on the
 * compiled tables, times what bench/classify.py measured such reads to cost.
 * Pure; any thread.
 */
#ifndef SLUICE_COST_H
#define SLUICE_COST_H

#include <stdint.h>

struct sl_compiled;

/*
 * In ns over an empty XDP program.
 *
 * expected: the mean over 65,536 headers that the rules ask for, each rule as
 * often, a point at random within it, again and again (the benchmark's
 * `uniform` traffic); so with the misses that the class cache has then.
 *
 * worst: a bound, not a prediction. Each part is taken at its dearest, though
 * no packet may have them all at once: the deepest path of each trie, no answer
 * in the cache, as many words of the bit vectors as any classes have in common
 * (fullest.h), and as many steps as the fullest vector has of the group where
 * that is least.
 */
struct sl_cost {
	double expected_ns, worst_ns;
	double hit_share; /* of the lookups of `expected`; 1: a table of answers */
	uint32_t cache_bytes; /* a CPU; 0: no cache */
};

/* Of a generation that is not finished. 0, or -ENOMEM. */
int sl_cost_of(const struct sl_compiled *compiled, struct sl_cost *cost);

#endif /* SLUICE_COST_H */
