// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The last stage: a key for each combination of the groups' classes, and an
 * answer for each key. Few keys get a table with all answers; else the groups'
 * bit vectors go into the tables, for the lookup to compute answers when it
 * needs them (xdp/classify.h).
 *
 * Answers are positions here, one up (0: no rule): slots and devices are not
 * known yet. sl_compiled_finish() turns them into what the lookup reads.
 */
#include "compiler.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static unsigned bits_for(uint64_t values)
{
	return values > 1 ? 64 - (unsigned)__builtin_clzll(values - 1) : 0;
}

/* Steps that go on, and with them the lookups that begin anew, count too. */
static uint64_t resumes(const struct sl_compiler *c)
{
	return c->out->n_resumes + 1;
}

/* How many keys there are, or 0 if more than `most`. */
static uint64_t count_keys(const struct sl_compiler *c, uint64_t most)
{
	uint64_t keys = resumes(c);

	for (size_t g = 0; g < c->n_groups; g++) {
		keys *= c->groups[g].n_classes;
		if (keys > most)
			return 0;
	}
	return keys;
}

/* One row of the dense table: what is left of the rules after g groups. */
struct dense {
	const struct sl_compiler *c;
	uint64_t weight[SL_GROUPS_MAX];
	uint64_t *bits; /* [n_groups + 1][words] */
};

static uint32_t lowest_bit(const uint64_t *bits, size_t words)
{
	for (size_t w = 0; w < words; w++)
		if (bits[w])
			return (uint32_t)(w * 64 +
					  (size_t)__builtin_ctzll(bits[w])) +
			       1;
	return 0;
}

/* The groups are at most SL_GROUPS_MAX, and so is the depth. */
static void fill_dense(const struct dense *d, size_t group, uint32_t *cells)
{
	const struct sl_classes *classes = &d->c->groups[group];
	size_t words = d->c->words;
	const uint64_t *bits = d->bits + group * words;
	uint64_t *rest = d->bits + (group + 1) * words;

	if (group == d->c->n_groups) {
		*cells = lowest_bit(bits, words);
		return;
	}
	for (size_t i = 0; i < classes->n_classes; i++) {
		const uint64_t *vector = sl_classes_vector(classes, i);

		for (size_t w = 0; w < words; w++)
			rest[w] = bits[w] & vector[w];
		/* NOLINTNEXTLINE(misc-no-recursion) */
		fill_dense(d, group + 1, cells + i * d->weight[group]);
	}
}

static void set_rules_from(uint64_t *bits, size_t n_rules, size_t from)
{
	memset(bits, 0, (n_rules + 63) / 64 * sizeof(*bits));
	for (size_t i = from; i < n_rules; i++)
		sl_bit_set(bits, i);
}

static int compile_dense(struct sl_compiler *c, uint64_t cells)
{
	struct sl_compiled *out = c->out;
	struct dense d = { .c = c };
	int64_t offset =
		sl_tables_reserve(&c->tables, cells * sizeof(uint32_t));
	uint32_t *row;

	if (offset < 0)
		return (int)offset;
	d.bits = calloc((c->n_groups + 1) * c->words, sizeof(*d.bits));
	if (!d.bits)
		return -ENOMEM;
	out->gen.keys = 1;
	for (size_t g = c->n_groups; g-- > 0;) {
		d.weight[g] = out->gen.keys;
		out->gen.field[c->group_end[g]].weight = out->gen.keys;
		out->gen.group[g].n_classes = (uint32_t)c->groups[g].n_classes;
		out->gen.keys *= c->groups[g].n_classes;
	}
	row = sl_tables_pointer(&c->tables, (uint32_t)offset);
	set_rules_from(d.bits, out->n_rules, 0);
	fill_dense(&d, 0, row);
	for (size_t i = 0; i < out->n_rules; i++) {
		const struct sl_step *step = &out->rules[i].step;

		if (!step->resume)
			continue;
		set_rules_from(d.bits, out->n_rules, step->from);
		fill_dense(&d, 0, row + step->resume * out->gen.keys);
	}
	free(d.bits);
	out->gen.dense = (uint32_t)offset;
	out->n_answers = cells;
	return 0;
}

static int put_vectors(struct sl_compiler *c, size_t g)
{
	const struct sl_classes *classes = &c->groups[g];
	size_t lead = c->out->gen.summary_words;
	size_t words = lead + c->words;
	int64_t offset;
	uint64_t *vector;

	offset = sl_tables_reserve(&c->tables, classes->n_classes * words *
						       sizeof(*vector));
	if (offset < 0)
		return (int)offset;
	c->out->gen.group[g].vectors = (uint32_t)offset;
	vector = sl_tables_pointer(&c->tables, (uint32_t)offset);
	for (size_t i = 0; i < classes->n_classes; i++, vector += words) {
		memcpy(vector + lead, sl_classes_vector(classes, i),
		       c->words * sizeof(*vector));
		for (size_t w = 0; w < c->words; w++)
			if (vector[lead + w])
				sl_bit_set(vector, w);
	}
	return 0;
}

/*
 * Room for eight answers a rule: with four, one packet in six of a set that cuts
 * the space finely (fw1) missed, which cost 40 ns a packet on average.
 */
static void size_cache(struct sl_gen *gen, size_t n_rules, unsigned key_bits)
{
	unsigned bits = bits_for(n_rules) + 1;

	if (bits < SL_CACHE_BITS_MIN)
		bits = SL_CACHE_BITS_MIN;
	if (bits > SL_CACHE_BITS_MAX)
		bits = SL_CACHE_BITS_MAX;
	if (key_bits > bits + SL_CACHE_TAG_BITS)
		bits = key_bits - SL_CACHE_TAG_BITS;
	if (bits > SL_CACHE_BITS_MAX)
		return; /* keys too long to be told apart: no cache */
	gen->cache_bits = bits;
	gen->cache_key_shift = 64 - (key_bits > bits ? key_bits : bits + 1);
}

/* Bits in one word of a key: a resume may be added at the top. */
#define KEY_WORD_BITS 62

/* Puts the class of group g into the first word of the key that has room. */
static int place_group(struct sl_compiler *c, size_t g, unsigned used[2])
{
	struct sl_gen *gen = &c->out->gen;
	unsigned bits = bits_for(c->groups[g].n_classes);
	unsigned word = used[0] + bits > KEY_WORD_BITS;

	if (used[word] + bits > KEY_WORD_BITS)
		return -E2BIG;
	gen->group[g].n_classes = (uint32_t)c->groups[g].n_classes;
	gen->group[g].word = (uint8_t)word;
	gen->group[g].shift = (uint8_t)used[word];
	gen->group[g].bits = (uint8_t)bits;
	gen->field[c->group_end[g]].word = word;
	gen->field[c->group_end[g]].weight = 1ULL << used[word];
	used[word] += bits;
	return 0;
}

static int put_answers(struct sl_compiler *c)
{
	int64_t offset = sl_tables_reserve(&c->tables,
					   c->out->n_rules * sizeof(uint32_t));
	uint32_t *answers;

	if (offset < 0)
		return (int)offset;
	c->out->gen.answers = (uint32_t)offset;
	c->out->n_answers = c->out->n_rules;
	answers = sl_tables_pointer(&c->tables, (uint32_t)offset);
	for (uint32_t i = 0; i < c->out->n_rules; i++)
		answers[i] = i + 1;
	return 0;
}

static int compile_sparse(struct sl_compiler *c)
{
	struct sl_gen *gen = &c->out->gen;
	unsigned used[2] = { 0 };
	int err = 0;

	gen->summary_words = (uint32_t)((c->words + 63) / 64);
	for (size_t g = c->n_groups; g-- > 0 && !err;) {
		err = put_vectors(c, g);
		if (!err)
			err = place_group(c, g, used);
	}
	if (err)
		return err;
	gen->keys = 1ULL << used[0];
	if (!used[1])
		size_cache(gen, c->out->n_rules,
			   used[0] + bits_for(resumes(c)));
	return put_answers(c);
}

int sl_compile_answers(struct sl_compiler *c)
{
	uint64_t cells = count_keys(c, SL_DENSE_CELLS_MAX);

	c->out->gen.n_groups = (uint32_t)c->n_groups;
	return cells ? compile_dense(c, cells) : compile_sparse(c);
}
