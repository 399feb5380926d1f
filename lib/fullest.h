/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The dearest that the bit vectors of a compiled generation can come to, where
 * its answers are no table. Pure; any thread.
 */
#ifndef SLUICE_FULLEST_H
#define SLUICE_FULLEST_H

#include <stdint.h>

struct sl_compiled;

/*
 * How many words the summaries of all groups can have in common, whichever
 * classes meet: the lookup looks at no more. The very maximum where a search of
 * bounded length finds it; else an upper bound, what the fullest summary
 * has of the group where that is least. 0 and *words, or -ENOMEM.
 */
int sl_fullest_words(const struct sl_compiled *compiled, uint32_t *words);

/* The second of these bounds, of those rules whose bits are set in `rules`. */
uint32_t sl_fullest_rules(const struct sl_compiled *compiled,
			  const uint64_t *rules);

#endif /* SLUICE_FULLEST_H */
