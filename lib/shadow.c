// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Rule a covers rule b if, in each dimension (region.h), a asks for nothing or
 * for all that b's packets have. To compare each pair would be too slow, so a
 * sweep through each dimension finds candidates first: at the lowest and the
 * highest value that b has there, the rules that match are those whose bit is
 * set in a vector that follows the ends of their intervals; what is set at
 * both ends, in all dimensions, stays a candidate. Prefixes and single ranges
 * that hold both ends hold all between, so nearly all candidates do cover;
 * each is then compared exactly.
 *
 * 10,000 rules take some 10 million operations on words. The candidates of
 * BLOCK_BYTES of rules are computed at a time: with 65,536 rules all would be
 * 512 MB.
 */
#include "shadow.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "classes.h"
#include "compile.h"
#include "config.h"
#include "parse.h"
#include "reach.h"
#include "region.h"

#define BLOCK_BYTES ((size_t)32 << 20)

/*
 * A set with more intervals takes no part in the sweep, but in the comparison:
 * a thousand rules may name one of a million prefixes.
 */
#define SWEPT_INTERVALS 256

/* From `at` on the rule's bit is `set`. */
struct edge {
	sl_address at;
	uint32_t rule;
	bool set;
};

/* Rule `rule` is to be compared with what is set at `at`. */
struct sample {
	sl_address at;
	uint32_t rule;
};

struct dimension {
	struct edge *edges; /* ascending */
	size_t n_edges;
	bool asked; /* by some rule */
};

struct finder {
	const struct sl_compiled *compiled;
	size_t n_rules, words;
	struct sl_region_maker maker;
	struct sl_region *regions;
	struct dimension dimensions[SL_DIM_COUNT];
	struct sample *samples;
	uint64_t *now;	      /* the vector of the sweep */
	uint64_t *candidates; /* [rules of the block][words] */
	size_t from;	      /* the first rule of the block */
	uint64_t *final;      /* the rules that decide */
	uint64_t *reached;    /* NULL: not a dense generation */
	struct sl_shadows found;
};

static const struct sl_rule *rule_at(const struct finder *f, size_t position)
{
	return f->compiled->rules[position].rule;
}

static bool is_swept(const struct sl_span *asks)
{
	return asks->items && asks->n_items <= SWEPT_INTERVALS;
}

static int make_regions(struct finder *f)
{
	int err = 0;

	for (size_t i = 0; i < f->n_rules && !err; i++)
		err = sl_region_make(&f->maker, rule_at(f, i), &f->regions[i]);
	return err;
}

static int compare_edges(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;

	return (x->at > y->at) - (x->at < y->at);
}

static int compare_samples(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;

	return (x->at > y->at) - (x->at < y->at);
}

static void add_edges(struct dimension *dim, const struct sl_span *span,
		      size_t rule)
{
	for (size_t i = 0; i < span->n_items; i++) {
		sl_address after = span->items[i].high + 1;

		dim->edges[dim->n_edges++] = (struct edge){ span->items[i].low,
							    (uint32_t)rule,
							    true };
		if (after) /* else it goes to the end of the space */
			dim->edges[dim->n_edges++] =
				(struct edge){ after, (uint32_t)rule, false };
	}
}

static int make_edges(struct finder *f, enum sl_dimension d)
{
	struct dimension *dim = &f->dimensions[d];
	size_t room = 0;

	for (size_t i = 0; i < f->n_rules; i++) {
		const struct sl_span *asks = &f->regions[i].asks[d];

		dim->asked |= is_swept(asks);
		if (is_swept(asks))
			room += 2 * asks->n_items;
	}
	if (!dim->asked)
		return 0;
	dim->edges = calloc(room + 1, sizeof(*dim->edges));
	if (!dim->edges)
		return -ENOMEM;
	for (size_t i = 0; i < f->n_rules; i++)
		if (is_swept(&f->regions[i].asks[d]))
			add_edges(dim, &f->regions[i].asks[d], i);
	qsort(dim->edges, dim->n_edges, sizeof(*dim->edges), compare_edges);
	return 0;
}

static size_t make_samples(struct finder *f, enum sl_dimension d, size_t from,
			   size_t to)
{
	size_t n = 0;

	for (size_t i = from; i < to; i++) {
		const struct sl_span *has = &f->regions[i].has[d];

		if (!has->n_items)
			continue;
		f->samples[n++] =
			(struct sample){ has->items[0].low, (uint32_t)i };
		f->samples[n++] =
			(struct sample){ has->items[has->n_items - 1].high,
					 (uint32_t)i };
	}
	qsort(f->samples, n, sizeof(*f->samples), compare_samples);
	return n;
}

static bool is_final(const struct finder *f, size_t rule)
{
	return f->final[rule / 64] >> rule % 64 & 1;
}

/* Those before it; of one that lets packets go on those behind, too. */
static void keep_candidates(struct finder *f, size_t rule, size_t from)
{
	uint64_t *row = f->candidates + (rule - from) * f->words;
	size_t end = is_final(f, rule) ? rule / 64 + 1 : f->words;

	for (size_t w = 0; w < end; w++)
		row[w] &= f->now[w];
}

/* Leaves of the candidates of from..to those that this dimension leaves. */
static void sweep(struct finder *f, enum sl_dimension d, size_t from, size_t to)
{
	const struct dimension *dim = &f->dimensions[d];
	size_t n = make_samples(f, d, from, to), e = 0;

	memset(f->now, 0, f->words * sizeof(*f->now));
	for (size_t i = 0; i < f->n_rules; i++)
		if (!is_swept(&f->regions[i].asks[d]))
			sl_bit_set(f->now, i);
	for (size_t s = 0; s < n; s++) {
		for (; e < dim->n_edges && dim->edges[e].at <= f->samples[s].at;
		     e++) {
			if (dim->edges[e].set)
				sl_bit_set(f->now, dim->edges[e].rule);
			else
				sl_bit_clear(f->now, dim->edges[e].rule);
		}
		keep_candidates(f, f->samples[s].rule, from);
	}
}

static bool is_live(const struct sl_addr *a)
{
	return a->kind == SL_ADDR_SET && a->set->live;
}

/* What a asks of live sets, b asks too. */
static bool live_covers(const struct sl_addr *a, const struct sl_addr *b)
{
	return !is_live(a) || (b->kind == SL_ADDR_SET && b->set == a->set &&
			       b->negated == a->negated);
}

static bool covers(const struct finder *f, size_t a, size_t b)
{
	const struct sl_rule *x = rule_at(f, a), *y = rule_at(f, b);

	return live_covers(&x->src, &y->src) && live_covers(&x->dst, &y->dst) &&
	       sl_region_covers(&f->regions[a], &f->regions[b]);
}

static bool observes(const struct sl_rule *rule)
{
	return rule->options.written & SL_OPT_OBSERVE;
}

static bool same_verdict(const struct sl_rule *a, const struct sl_rule *b)
{
	const struct sl_action_spec *x = &a->verdict, *y = &b->verdict;

	if (x->action != y->action || observes(a) != observes(b))
		return false;
	if (x->action == SL_ACTION_REDIRECT)
		return strcmp(x->device, y->device) == 0;
	return x->fallback_drop == y->fallback_drop &&
	       x->rate.value == y->rate.value && x->rate.bits == y->rate.bits &&
	       x->burst == y->burst && x->per_source == y->per_source &&
	       x->source4_bits == y->source4_bits &&
	       x->source6_bits == y->source6_bits && x->sample == y->sample;
}

/* No packet that matches it goes on to the next rule. */
static bool decides(const struct finder *f, size_t position)
{
	const struct sl_compiled_rule *r = &f->compiled->rules[position];

	return r->step.action == SL_STEP_VERDICT && !observes(r->rule) &&
	       !r->rule->options.expires_ns;
}

/*
 * Is `b` of no use because of `a`, which comes first? `count`, `limit` and the
 * like before a verdict on the same packets is how they are used: of those
 * only one that says the same again is reported.
 */
static bool compare(const struct finder *f, size_t a, size_t b,
		    struct sl_shadow *s)
{
	const struct sl_rule *x = rule_at(f, a), *y = rule_at(f, b);
	bool final = decides(f, a);

	if (!final && (x->options.expires_ns || !same_verdict(x, y)))
		return false;
	if (!covers(f, a, b))
		return false;
	*s = (struct sl_shadow){
		.rule = y,
		.by = x,
		.never = final,
		.same = covers(f, b, a),
		.same_verdict = same_verdict(x, y),
	};
	return s->never || s->same;
}

/*
 * May `a`, which lets packets go on, match just what `rule` does? Then each is
 * the other's candidate. Of thousands of nested `count` rules that spares nearly
 * all comparisons.
 */
static bool may_repeat(const struct finder *f, size_t a, size_t rule)
{
	const uint64_t *row;

	if (a < f->from)
		return true;
	row = f->candidates + (a - f->from) * f->words;
	return row[rule / 64] >> rule % 64 & 1;
}

static bool is_unreached(const struct finder *f, size_t rule)
{
	return f->reached && !(f->reached[rule / 64] >> rule % 64 & 1);
}

/* A rule that makes `rule` unreachable, or else one that it repeats. */
static bool find_shadow(const struct finder *f, size_t rule,
			const uint64_t *row, struct sl_shadow *found)
{
	struct sl_shadow s = { 0 };

	*found = s;
	for (size_t w = 0; w <= rule / 64; w++) {
		/* One that it repeats will do; only a final one is worth more. */
		uint64_t bits = row[w] & (found->rule ? f->final[w] : ~0ULL);

		for (; bits; bits &= bits - 1) {
			size_t a = w * 64 + (size_t)__builtin_ctzll(bits);

			if (a >= rule)
				break;
			if (!is_final(f, a) && !may_repeat(f, a, rule))
				continue;
			if (!compare(f, a, rule, &s))
				continue;
			if (s.never || !found->rule)
				*found = s;
			if (s.never)
				return true;
		}
	}
	if (is_unreached(f, rule))
		*found = (struct sl_shadow){ .rule = rule_at(f, rule),
					     .never = true };
	return found->rule;
}

static int add(struct sl_shadows *list, const struct sl_shadow *s)
{
	struct sl_shadow *items =
		sl_array_room(list->items, list->n_items, sizeof(*items));

	if (!items)
		return -ENOMEM;
	list->items = items;
	items[list->n_items++] = *s;
	return 0;
}

static int find_block(struct finder *f, size_t from, size_t to)
{
	struct sl_shadow s;
	int err = 0;

	f->from = from;
	memset(f->candidates, 0xff,
	       (to - from) * f->words * sizeof(*f->candidates));
	for (enum sl_dimension d = 0; d < SL_DIM_COUNT; d++)
		if (f->dimensions[d].asked)
			sweep(f, d, from, to);
	for (size_t i = from; i < to && !err; i++) {
		const uint64_t *row = f->candidates + (i - from) * f->words;

		if (!f->regions[i].empty && find_shadow(f, i, row, &s))
			err = add(&f->found, &s);
	}
	return err;
}

static int find_all(struct finder *f)
{
	size_t block = BLOCK_BYTES / (f->words * sizeof(uint64_t));
	int err = -ENOMEM;

	if (block > f->n_rules)
		block = f->n_rules;
	f->regions = calloc(f->n_rules, sizeof(*f->regions));
	f->samples = calloc(2 * block, sizeof(*f->samples));
	f->now = calloc(f->words, sizeof(*f->now));
	f->final = calloc(f->words, sizeof(*f->final));
	f->candidates = calloc(block * f->words, sizeof(*f->candidates));
	if (f->compiled->gen.dense)
		f->reached = calloc(f->words, sizeof(*f->reached));
	if (!f->regions || !f->samples || !f->now || !f->final ||
	    !f->candidates || (f->compiled->gen.dense && !f->reached))
		return err;
	if (f->reached)
		sl_reach_dense(f->compiled, f->reached);
	for (size_t i = 0; i < f->n_rules; i++)
		if (decides(f, i))
			sl_bit_set(f->final, i);
	err = make_regions(f);
	for (enum sl_dimension d = 0; d < SL_DIM_COUNT && !err; d++)
		err = make_edges(f, d);
	for (size_t from = 0; from < f->n_rules && !err; from += block)
		err = find_block(f, from,
				 from + block < f->n_rules ? from + block :
							     f->n_rules);
	return err;
}

int sl_shadows_find(const struct sl_compiled *compiled,
		    struct sl_shadows *shadows)
{
	struct finder f = { .compiled = compiled,
			    .n_rules = compiled->n_rules,
			    .words = compiled->gen.words };
	int err = f.n_rules ? find_all(&f) : 0;

	if (err)
		sl_shadows_fini(&f.found);
	else
		*shadows = f.found;
	for (enum sl_dimension d = 0; d < SL_DIM_COUNT; d++)
		free(f.dimensions[d].edges);
	free(f.regions);
	free(f.samples);
	free(f.now);
	free(f.final);
	free(f.candidates);
	free(f.reached);
	sl_region_maker_fini(&f.maker);
	return err;
}

void sl_shadows_fini(struct sl_shadows *shadows)
{
	free(shadows->items);
	*shadows = (struct sl_shadows){ 0 };
}

static const char *how(const struct sl_shadow *s)
{
	if (!s->same)
		return "matches all that it does and comes first";
	if (!s->never)
		return "matches the same and does the same before";
	return s->same_verdict ?
		       "matches the same and comes first, with the same verdict" :
		       "matches the same and comes first, with another verdict";
}

void sl_shadow_warn(const struct sl_shadow *shadow,
		    const struct sl_config *config, struct sl_diags *diags)
{
	const struct sl_source *s = config->source;
	const struct sl_rule *rule = shadow->rule, *by = shadow->by;
	const char *what = shadow->never ? "can never match" : "is of no use";

	if (by)
		sl_diags_add(diags, true, s ? s->name : NULL, rule->pos,
			     s ? s->text : NULL, s ? s->length : 0,
			     "rule \"%s\" %s: rule \"%s\" (line %u) %s",
			     rule->name, what, by->name, by->pos.line,
			     how(shadow));
	else
		sl_diags_add(
			diags, true, s ? s->name : NULL, rule->pos,
			s ? s->text : NULL, s ? s->length : 0,
			"rule \"%s\" %s: the rules before it match all that it does, together",
			rule->name, what);
}
