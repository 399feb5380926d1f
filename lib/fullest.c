// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Branch and bound: the classes of each group, the fullest first; what cannot
 * be fuller than the best so far is left out, with all that follows it.
 */
#include "fullest.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "compile.h"

/* Conjunctions that are tried: 30 ms at most. ClassBench's sets need few. */
#define TRIES_MAX (1u << 22)

struct search {
	const struct sl_compiled *compiled;
	uint64_t *order[SL_GROUPS_MAX]; /* words << 32 | class, descending */
	uint32_t n_order[SL_GROUPS_MAX];
	uint64_t left[SL_GROUPS_MAX + 1][SL_SUMMARY_MAX];
	uint32_t best, tries;
};

static const uint64_t *summary_of(const struct sl_compiled *c, uint32_t group,
				  uint64_t class_id)
{
	return (const uint64_t *)(c->tables + c->gen.group[group].vectors) +
	       class_id * (c->gen.summary_words + c->gen.words);
}

static uint32_t count_bits(const uint64_t *bits, uint32_t words)
{
	uint32_t n = 0;

	for (uint32_t w = 0; w < words; w++)
		n += (uint32_t)__builtin_popcountll(bits[w]);
	return n;
}

struct order {
	const struct sl_compiled *compiled;
	uint32_t group;
};

/* By how full they are, then by what they hold. */
static int compare_summaries(const void *a, const void *b, void *context)
{
	const struct order *o = context;
	const uint64_t *x = a, *y = b;

	if (*x >> 32 != *y >> 32)
		return *x < *y ? 1 : -1;
	return memcmp(summary_of(o->compiled, o->group, *x & UINT32_MAX),
		      summary_of(o->compiled, o->group, *y & UINT32_MAX),
		      o->compiled->gen.summary_words * sizeof(uint64_t));
}

/* Classes with one summary between them count once. */
static int sort_classes(struct search *s, uint32_t group)
{
	const struct sl_gen *gen = &s->compiled->gen;
	struct order o = { s->compiled, group };
	uint32_t n = gen->group[group].n_classes, kept = 0;
	uint64_t *order = calloc(n, sizeof(*order));

	if (!order)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		order[i] =
			(uint64_t)count_bits(summary_of(s->compiled, group, i),
					     gen->summary_words)
				<< 32 |
			i;
	qsort_r(order, n, sizeof(*order), compare_summaries, &o);
	for (uint32_t i = 0; i < n; i++)
		if (!kept || compare_summaries(&order[kept - 1], &order[i], &o))
			order[kept++] = order[i];
	s->order[group] = order;
	s->n_order[group] = kept;
	return 0;
}

/* False: it gave up. As deep as there are groups. */
static bool search(struct search *s, uint32_t group)
{
	const struct sl_gen *gen = &s->compiled->gen;
	const uint64_t *left = s->left[group];
	uint64_t *rest = s->left[group + 1];

	for (uint32_t i = 0; i < s->n_order[group]; i++) {
		uint64_t class_id = s->order[group][i] & UINT32_MAX;
		const uint64_t *summary =
			summary_of(s->compiled, group, class_id);
		uint32_t n;

		if (s->order[group][i] >> 32 <= s->best)
			break;
		if (++s->tries == TRIES_MAX)
			return false;
		for (uint32_t w = 0; w < gen->summary_words; w++)
			rest[w] = left[w] & summary[w];
		n = count_bits(rest, gen->summary_words);
		if (n <= s->best)
			continue;
		if (group + 1 == gen->n_groups)
			s->best = n;
		/* NOLINTNEXTLINE(misc-no-recursion) */
		else if (!search(s, group + 1))
			return false;
	}
	return true;
}

int sl_fullest_words(const struct sl_compiled *compiled, uint32_t *words)
{
	struct search s = { .compiled = compiled };
	uint32_t n_groups = compiled->gen.n_groups, least = UINT32_MAX;
	int err = 0;

	for (uint32_t g = 0; g < n_groups && !err; g++)
		err = sort_classes(&s, g);
	for (uint32_t w = 0; w < SL_SUMMARY_MAX; w++)
		s.left[0][w] = ~0ULL;
	if (!err && search(&s, 0)) {
		*words = s.best;
	} else if (!err) {
		for (uint32_t g = 0; g < n_groups; g++)
			if (s.order[g][0] >> 32 < least)
				least = (uint32_t)(s.order[g][0] >> 32);
		*words = least;
	}
	for (uint32_t g = 0; g < n_groups; g++)
		free(s.order[g]);
	return err;
}

uint32_t sl_fullest_rules(const struct sl_compiled *compiled,
			  const uint64_t *rules)
{
	const struct sl_gen *gen = &compiled->gen;
	uint32_t least = UINT32_MAX;

	for (uint32_t g = 0; g < gen->n_groups; g++) {
		uint32_t most = 0;

		for (uint32_t i = 0; i < gen->group[g].n_classes; i++) {
			const uint64_t *v =
				summary_of(compiled, g, i) + gen->summary_words;
			uint32_t n = 0;

			for (uint32_t w = 0; w < gen->words; w++)
				n += (uint32_t)__builtin_popcountll(v[w] &
								    rules[w]);
			most = n > most ? n : most;
		}
		least = most < least ? most : least;
	}
	return least;
}
