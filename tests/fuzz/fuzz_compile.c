// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The compiler and the lookup: a list of rules made from the input goes through
 * the parser and the compiler, and for packets made for these rules the host
 * build of xdp/classify.h must find what a linear search finds, at the
 * beginning and behind each rule that lets the packet go on.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "draw.h"
#include "lib/compile.h"
#include "lib/config.h"
#include "lib/error.h"
#include "linear.h"
#include "rules.h"
#include "xdp/classify.h"

#define PACKETS 256
/* So few rules are never over the budget of tables. */
#define SMALL_RULES 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was compiled, and all that a failure shows. */
struct subject {
	const char *text;
	const struct sl_compiled *compiled;
	struct sl_tables tables;
	__u64 *cache;
};

static void fail(const struct subject *s, const struct sl_packet *p,
		 const char *what)
{
	fprintf(stderr, "%s\n%s", what, s->text);
	if (p)
		fprintf(stderr,
			"packet: family %u %016llx%016llx > %016llx%016llx "
			"proto %u ports %u %u>%u icmp %u %u/%u flags %u "
			"fragment %u length %u dscp %u ethertype %#x vlan %u/%u "
			"macs %u %012llx > %012llx\n",
			p->family, p->src[0], p->src[1], p->dst[0], p->dst[1],
			p->proto, p->has_ports, p->sport, p->dport, p->has_icmp,
			p->icmp_type, p->icmp_code, p->flags, p->fragment,
			p->length, p->dscp, p->ethertype, p->vlan,
			p->inner_vlan, p->has_macs, p->mac_src >> 16,
			p->mac_dst >> 16);
	abort();
}

/* The generator writes what the parser takes, or it tests nothing. */
static struct sl_config *parse(struct subject *s)
{
	struct sl_diags diags = { 0 };
	struct sl_config *config = NULL;

	if (sl_config_parse(s->text, strlen(s->text), "fuzz.conf", &diags,
			    &config)) {
		sl_diags_print(&diags, stderr);
		fail(s, NULL, "the parser refuses the generated rules");
	}
	sl_diags_fini(&diags);
	return config;
}

/* The first rule for interface `a` that matches, from this one on. */
static const struct sl_rule *linear_search(const struct sl_config *config,
					   const struct sl_rule *from,
					   const struct sl_packet *p)
{
	const struct sl_rule *end = config->rules + config->n_rules;

	for (; from < end; from++)
		if ((!from->on || !strcmp(from->on, "a")) &&
		    linear_matches(from, p))
			return from;
	return NULL;
}

/* The set and the tag of a key as one number, of as many bits as a key. */
static __u64 place_number(const struct sl_gen *gen, __u64 key)
{
	struct sl_cache_place place = sl_cache_place(gen, key);

	return place.set << (64 - gen->cache_key_shift - gen->cache_bits) |
	       place.tag >> (SL_MATCH_BITS + 1);
}

/* That number is the key times something odd, so no other key has it. */
static bool place_is_own(const struct sl_gen *gen, __u64 key)
{
	__u64 factor = place_number(gen, 1);
	__u64 mask = ~0ULL >> gen->cache_key_shift;

	return factor & 1 && key <= mask &&
	       place_number(gen, key) == (key * factor & mask);
}

/* The cache may forget an answer, but must not give another key's. */
static void check_cache(const struct subject *s, const struct sl_packet *p,
			__u64 key, __u32 answer)
{
	const struct sl_gen *gen = &s->compiled->gen;
	struct sl_cache_place place = sl_cache_place(gen, key);
	__u64 *set = s->cache + place.set * SL_CACHE_WAYS;
	__u32 found;

	if (place.set >> gen->cache_bits)
		fail(s, p, "a place behind the cache");
	if (!place_is_own(gen, key))
		fail(s, p, "another key may have the same place in the cache");
	found = sl_cache_find(set, place.tag);
	if (found == SL_CACHE_MISS)
		sl_cache_put(set, place.tag, answer);
	else if (found != answer)
		fail(s, p, "the cache has another answer than the tables");
	if (sl_cache_find(set, place.tag) != answer)
		fail(s, p, "the cache does not hold what was put in");
}

/* What the tables say of a key, behind the step; NULL: from the beginning. */
static __u32 answer(const struct subject *s, const struct sl_packet *p,
		    const struct sl_key *key, const struct sl_step *step)
{
	const struct sl_gen *gen = &s->compiled->gen;
	const uint8_t *base = s->compiled->tables;
	__u64 number = key->word[0] + (step ? step->resume : 0) * gen->keys;
	__u32 position, found = SL_MATCH_NONE;

	if (gen->dense)
		return ((const __u32 *)(base + gen->dense))[number];
	position = sl_first_match(&s->tables, key, step ? step->from : 0);
	if (position != SL_SLOT_NONE && position >= s->compiled->n_rules)
		fail(s, p, "a position behind the last rule");
	if (position != SL_SLOT_NONE)
		found = ((const __u32 *)(base + gen->answers))[position];
	if (gen->cache_bits)
		check_cache(s, p, number, found);
	return found;
}

/* Whether the answer is for the rule at that position, and says what it says. */
static bool answers(const struct subject *s, __u32 found, size_t position)
{
	const struct sl_compiled_rule *r = &s->compiled->rules[position];
	const struct sl_step *steps =
		(const void *)(s->compiled->tables + s->compiled->gen.steps);
	bool goes_on = r->rule->verdict.action >= SL_ACTION_LIMIT ||
		       r->rule->options.written &
			       (SL_OPT_OBSERVE | SL_OPT_EXPIRES);

	switch (SL_MATCH_KIND(found)) {
	case SL_MATCH_PASS:
	case SL_MATCH_DROP:
		return SL_MATCH_ID(found) == position && !goes_on &&
		       r->rule->verdict.action ==
			       (SL_MATCH_KIND(found) == SL_MATCH_PASS ?
					SL_ACTION_PASS :
					SL_ACTION_DROP);
	case SL_MATCH_VERDICT:
	case SL_MATCH_STEP:
		return SL_MATCH_ID(found) < s->compiled->gen.n_steps &&
		       steps[SL_MATCH_ID(found)].slot == position &&
		       goes_on == (SL_MATCH_KIND(found) == SL_MATCH_STEP);
	default:
		return false;
	}
}

static void check_packet(const struct subject *s,
			 const struct sl_config *config,
			 const struct sl_packet *p)
{
	const struct sl_rule *from = config->rules, *expected;
	const struct sl_step *step = NULL, *steps;
	size_t position = 0;
	struct sl_key key;
	__u32 found;

	steps = (const void *)(s->compiled->tables + s->compiled->gen.steps);
	if (!sl_locate(&s->tables, p, false, 0, &key) ||
	    key.word[0] >= s->compiled->gen.keys)
		fail(s, p, "no key");
	do {
		found = answer(s, p, &key, step);
		expected = linear_search(config, from, p);
		if (!expected && found != SL_MATCH_NONE)
			fail(s, p, "no rule matches, but the tables name one");
		if (!expected)
			return;
		while (s->compiled->rules[position].rule != expected)
			position++;
		if (!answers(s, found, position)) {
			fprintf(stderr,
				"rule %s matches first: ", expected->name);
			fail(s, p, "the tables say otherwise");
		}
		step = &steps[SL_MATCH_ID(found)];
		from = expected + 1;
	} while (SL_MATCH_KIND(found) == SL_MATCH_STEP);
}

static void check_packets(struct subject *s, const struct sl_config *config,
			  struct draw *draw)
{
	const struct sl_gen *gen = &s->compiled->gen;
	struct sl_packet packet;

	s->tables = (struct sl_tables){
		.gen = gen,
		.base = s->compiled->tables,
	};
	s->cache = calloc((size_t)SL_CACHE_WAYS << gen->cache_bits,
			  sizeof(*s->cache));
	if (!s->cache)
		abort();
	for (int i = 0; i < PACKETS; i++) {
		rules_packet(draw, config, &packet);
		check_packet(s, config, &packet);
	}
	free(s->cache);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct draw draw = { .data = data, .left = size, .state = 20240607 };
	char *text = rules_text(&draw);
	struct subject s = { .text = text };
	struct sl_compiled *compiled = NULL;
	struct sl_error error = { "" };
	struct sl_config *config = parse(&s);

	if (sl_compile(config, "a", &compiled, &error)) {
		if (config->n_rules <= SMALL_RULES || !error.text[0])
			fail(&s, NULL, error.text);
	} else if (sl_compiled_finish(compiled)) {
		abort();
	} else if (compiled->n_rules) {
		s.compiled = compiled;
		check_packets(&s, config, &draw);
	}
	sl_compiled_free(compiled);
	sl_config_free(config);
	free(text);
	return 0;
}
