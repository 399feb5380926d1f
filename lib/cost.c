// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * cost = fixed
 *      + reads * (read + latency(the bytes that such packets read))
 *      + counters, each at that latency, too
 *      + a lookup in the cache, or with a share of misses
 *        miss + groups * (words * word + lines * latency(all tables))
 *      + steps
 *
 * The reads are counted, not guessed: packets are drawn from the rules and
 * looked up in the tables (visit.c), and the cache is played through.
 */
#include "cost.h"

#include <errno.h>
#include <stdlib.h>

#include "classes.h"
#include "compile.h"
#include "fullest.h"
#include "reach.h"
#include "region.h"
#include "visit.h"

/*
 * To fit these anew, run `bench/run classify` on a quiet machine and set, in
 * this order: fixed_ns to "16 rules, one packet" less its reads; read_ns and
 * the latencies up to L2 to the 1k sets, those above to `uniform` of the 10k
 * sets; miss_ns and word_ns to `worst`. `sluice check` says what the model
 * gives. lib/cost.c is all that changes.
 *
 * Present values: the latencies are one curve, set by eye to what was measured
 * with 65,536 headers drawn from the rules, median of batches over the empty
 * program, on an AMD EPYC (512 KiB of L2 a core, 32 MiB of L3, two shared
 * cores, Linux 6.18):
 *
 *                measured  modelled   IPv6: measured  modelled   ns
 *   acl1_10k         75        86                108       102
 *   acl2_10k        104       111                169       108
 *   acl3_10k         87       100                140       125
 *   fw1_10k         130       136                138       119
 *   fw2_10k         127       107                135        80
 *   ipc1_10k        103       100                144       118
 *   acl1_1k          56        49
 *   fw1_1k           62        52
 *
 * Misses in the cache and the bound for the worst are not fitted yet.
 */
static const struct {
	double fixed_ns;  /* parse, counters: BPF_PROG_TEST_RUN with no rules */
	double read_ns;	  /* of a table in L1, with its instructions */
	double answer_ns; /* the same, of the table of answers */
	double cache_ns;  /* a lookup in the cache; not measured by itself */
	double miss_ns;	  /* a call is 10 ns; putting the answer, a guess */
	double word_ns;	  /* a group's word of its vector, in L1; a guess */
	double step_ns;	  /* a turn of bpf_loop() and a step; a guess */
	double first_step_ns; /* bpf_loop() itself, where there are steps */
} cost_of = {
	.fixed_ns = 14,
	.read_ns = 1.5,
	.answer_ns = 1.5,
	.cache_ns = 6,
	.miss_ns = 20,
	.word_ns = 1.5,
	.step_ns = 10,
	.first_step_ns = 8,
};

/*
 * What a random read costs beyond one in L1, when so many bytes are in use. The
 * reads of one packet overlap in part: fewer ns than the cache's latency. The
 * last is the memory's, by its order of magnitude.
 */
static const struct {
	double bytes, ns;
} latencies[] = {
	{ 32 << 10, 0 },   { 512 << 10, 2.4 }, { 2 << 20, 3.8 },
	{ 32 << 20, 6.4 }, { 256 << 20, 60 },
};

/* The port counters of one protocol, 16 bytes a port. */
#define PORT_BYTES (65536 * 16.0)
#define COUNTER_BYTES 16.0
/* Counters that differ from packet to packet: of the port, of the rule. */
#define COUNTERS 2

#define HEADERS 65536
/*
 * Fewer headers where a packet is looked up more than 64 times, after each rule
 * that lets it go on: so many lookups fill the cache often enough to say what it
 * answers, and take under a second.
 */
#define LOOKUPS_MAX (64.0 * HEADERS)

static double latency(double bytes)
{
	size_t n = sizeof(latencies) / sizeof(*latencies);

	if (bytes <= latencies[0].bytes)
		return 0;
	for (size_t i = 1; i < n; i++) {
		double low = latencies[i - 1].bytes, high = latencies[i].bytes;
		double part = (bytes - low) / (high - low);

		if (bytes <= high)
			return latencies[i - 1].ns +
			       part * (latencies[i].ns - latencies[i - 1].ns);
	}
	return latencies[n - 1].ns;
}

/* Sums over all headers, or the most of each. */
struct tally {
	double reads, lookups, misses, words, steps;
};

struct model {
	const struct sl_compiled *compiled;
	struct sl_region_maker maker;
	struct sl_region *regions;
	uint64_t *cache; /* [sets][SL_CACHE_WAYS] */
	uint64_t *steps; /* the bits of rules that go on */
	uint64_t *lines; /* of the tables: those that packets read */
	uint64_t random;
	bool warming;
	struct tally tally;
};

static uint64_t random_below(struct model *m, uint64_t n)
{
	m->random ^= m->random << 13;
	m->random ^= m->random >> 7;
	m->random ^= m->random << 17;
	return (m->random >> 16) % n;
}

/* A value of the span, each of its intervals as likely. */
static sl_address draw(struct model *m, const struct sl_span *span)
{
	const struct sl_interval *i;
	sl_address size;

	if (!span->n_items)
		return 0;
	i = &span->items[span->n_items > 1 ? random_below(m, span->n_items) : 0];
	size = i->high - i->low;
	if (!size)
		return i->low;
	if (size < UINT32_MAX)
		return i->low + random_below(m, (uint64_t)size + 1);
	/* Prefixes are powers of two: the bits below, at random. */
	return i->low + (((sl_address)random_below(m, UINT64_MAX) << 64 |
			  random_below(m, UINT64_MAX)) &
			 size);
}

static void draw_packet(struct model *m, size_t rule,
			sl_address values[SL_DIM_COUNT])
{
	for (enum sl_dimension d = 0; d < SL_DIM_COUNT; d++)
		values[d] = draw(m, &m->regions[rule].has[d]);
}

static uint64_t hash(uint64_t h, uint64_t value)
{
	h = (h ^ value) * 0xff51afd7ed558ccdULL;
	return h ^ h >> 32;
}

/* Is this key in the cache? It is afterwards: first in, first out. */
static bool cached(struct model *m, const struct sl_visit *visit,
		   uint32_t resume)
{
	uint64_t h = hash(0x9e3779b97f4a7c15ULL, resume), *set;

	if (!m->cache)
		return false;
	for (uint32_t g = 0; g < m->compiled->gen.n_groups; g++)
		h = hash(h, visit->classes[g]);
	set = m->cache +
	      (h >> (64 - m->compiled->gen.cache_bits)) * SL_CACHE_WAYS;
	for (int way = 0; way < SL_CACHE_WAYS; way++)
		if (set[way] == h)
			return true;
	for (int way = SL_CACHE_WAYS - 1; way > 0; way--)
		set[way] = set[way - 1];
	set[0] = h;
	return false;
}

/* The first rule from there on, one up; counted. */
static uint32_t look_up(struct model *m, const struct sl_visit *visit,
			uint32_t from, uint32_t resume)
{
	const struct sl_compiled *c = m->compiled;
	uint32_t words, found;
	bool hit;

	m->tally.lookups++;
	if (c->gen.dense)
		return ((const uint32_t *)(c->tables +
					   c->gen.dense))[visit->key +
							  resume * c->gen.keys];
	hit = cached(m, visit, resume);
	if ((hit || m->warming) && !c->n_resumes)
		return 0; /* nobody asks which rule it is */
	found = sl_visit_match(c, visit, from, &words);
	if (!hit) {
		m->tally.misses++;
		m->tally.words += words;
	}
	return found;
}

static void take_packet(struct model *m, size_t rule)
{
	sl_address values[SL_DIM_COUNT];
	struct sl_visit visit = { .lines = m->lines };
	uint32_t found;

	draw_packet(m, rule, values);
	sl_visit_packet(m->compiled, values, &visit);
	m->tally.reads += visit.arrays + visit.nodes + visit.combines;
	found = look_up(m, &visit, 0, 0);
	while (found && m->compiled->rules[found - 1].step.resume) {
		const struct sl_step *step =
			&m->compiled->rules[found - 1].step;

		m->tally.steps++;
		found = look_up(m, &visit, step->from, step->resume);
	}
}

/* The same headers twice: the first time only warms the cache. */
static void take_headers(struct model *m)
{
	int once = m->cache == NULL;
	size_t n = 0;

	for (int turn = once; turn < 2; turn++) {
		m->warming = turn == 0;
		m->random = 0x2545f4914f6cdd1dULL;
		m->tally = (struct tally){ 0 };
		for (n = 0; n < HEADERS && m->tally.lookups < LOOKUPS_MAX;
		     n++) {
			size_t rule = random_below(m, m->compiled->n_rules);

			if (m->regions[rule].empty)
				rule = 0; /* of which there are few */
			take_packet(m, rule);
		}
	}
	m->tally.reads /= (double)n;
	m->tally.lookups /= (double)n;
	m->tally.misses /= (double)n;
	m->tally.words /= (double)n;
	m->tally.steps /= (double)n;
}

static int find_worst(const struct model *m, struct tally *worst)
{
	const struct sl_compiled *c = m->compiled;
	struct tally t = { 0 };
	struct sl_visit visit;
	uint32_t words = 0;
	int err = 0;

	sl_visit_worst(c, &visit);
	t.reads = visit.arrays + visit.nodes + visit.combines;
	if (c->gen.dense) {
		t.steps = (double)sl_reach_dense(c, NULL);
	} else {
		err = sl_fullest_words(c, &words);
		if (c->n_resumes)
			t.steps = sl_fullest_rules(c, m->steps);
		/* Each start looks again at its word and that word's summary. */
		t.words = c->gen.summary_words + words + 2 * t.steps;
		t.misses = t.steps + 1;
	}
	t.lookups = t.steps + 1;
	*worst = t;
	return err;
}

static double price(const struct sl_compiled *c, const struct tally *t,
		    double hot, double all)
{
	/* A vector has no more cache lines than these. */
	double most =
		t->misses * ((c->gen.summary_words + c->gen.words) / 8.0 + 1);
	double lines = t->words < most ? t->words : most;
	double groups = c->gen.n_groups;
	double hot_ns = latency(hot), all_ns = latency(all);
	double ns = cost_of.fixed_ns;

	ns += t->reads * (cost_of.read_ns + hot_ns);
	ns += t->lookups * hot_ns;
	ns += t->lookups *
	      (c->gen.dense ? cost_of.answer_ns : cost_of.cache_ns);
	ns += t->misses * cost_of.miss_ns;
	ns += t->words * groups * cost_of.word_ns + lines * groups * all_ns;
	ns += t->steps * cost_of.step_ns;
	if (c->n_resumes)
		ns += cost_of.first_step_ns;
	return ns + COUNTERS * hot_ns;
}

/* What the drawn packets read of the tables, cache and counters. */
static double hot_bytes(const struct model *m)
{
	const struct sl_compiled *c = m->compiled;
	double bytes = c->gen.n_rules * COUNTER_BYTES;

	for (size_t i = 0; i < c->gen.table_bytes / SL_VISIT_LINE / 64 + 1; i++)
		bytes += __builtin_popcountll(m->lines[i]) * SL_VISIT_LINE;
	if (c->gen.dense)
		return bytes + (double)c->n_answers * sizeof(uint32_t);
	if (c->gen.cache_bits)
		bytes += (double)(SL_CACHE_WAYS * sizeof(uint64_t)
				  << c->gen.cache_bits);
	return bytes;
}

static int prepare(struct model *m)
{
	const struct sl_compiled *c = m->compiled;
	int err = 0;

	m->regions = calloc(c->n_rules, sizeof(*m->regions));
	m->steps = calloc(c->gen.words, sizeof(*m->steps));
	if (c->gen.cache_bits)
		m->cache = calloc((size_t)SL_CACHE_WAYS << c->gen.cache_bits,
				  sizeof(*m->cache));
	m->lines = calloc(c->gen.table_bytes / SL_VISIT_LINE / 64 + 1,
			  sizeof(*m->lines));
	if (!m->regions || !m->steps || !m->lines ||
	    (c->gen.cache_bits && !m->cache))
		return -ENOMEM;
	for (size_t i = 0; i < c->n_rules && !err; i++) {
		if (c->rules[i].step.resume)
			sl_bit_set(m->steps, i);
		err = sl_region_make(&m->maker, c->rules[i].rule,
				     &m->regions[i]);
	}
	return err;
}

int sl_cost_of(const struct sl_compiled *compiled, struct sl_cost *cost)
{
	struct model m = { .compiled = compiled };
	struct sl_cost of = { .expected_ns = cost_of.fixed_ns,
			      .worst_ns = cost_of.fixed_ns,
			      .hit_share = 1 };
	struct tally worst;
	double hot, all;
	int err = 0;

	if (!compiled->n_rules)
		goto out;
	err = prepare(&m);
	if (err)
		goto out;
	if (compiled->gen.cache_bits)
		of.cache_bytes = SL_CACHE_WAYS * sizeof(uint64_t)
				 << compiled->gen.cache_bits;
	take_headers(&m);
	err = find_worst(&m, &worst);
	if (err)
		goto out;
	hot = hot_bytes(&m);
	all = compiled->gen.table_bytes - SL_TABLE_SLACK + of.cache_bytes +
	      PORT_BYTES + compiled->gen.n_rules * COUNTER_BYTES;
	of.expected_ns = price(compiled, &m.tally, hot, all);
	of.worst_ns = price(compiled, &worst, all, all);
	if (of.worst_ns < of.expected_ns)
		of.worst_ns = of.expected_ns;
	if (!compiled->gen.dense)
		of.hit_share = 1 - m.tally.misses / m.tally.lookups;
out:
	if (!err)
		*cost = of;
	free(m.regions);
	free(m.cache);
	free(m.steps);
	free(m.lines);
	sl_region_maker_fini(&m.maker);
	return err;
}
