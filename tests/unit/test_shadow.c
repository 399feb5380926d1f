// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * What shadows what, against all packets of a small world. A fixed seed makes
 * the run repeatable; SLUICE_SEED in the environment chooses another.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/compile.h"
#include "lib/config.h"
#include "lib/error.h"
#include "lib/shadow.h"
#include "shadow_world.h"

#define LISTS 3000
#define RULES_MAX 12
#define SETS 3	/* of addresses and MACs; as many live ones */
#define PARTS 3 /* of the dimensions that a list uses */

static uint64_t random_state;

static uint32_t random_below(uint32_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 32) % n;
}

static bool one_in(uint32_t n)
{
	return random_below(n) == 0;
}

/* ---- random lists ------------------------------------------------------- */

static struct sl_prefix random_prefix(void)
{
	struct sl_prefix p = { .family = one_in(2) ? 4 : 6 };

	p.length = (uint8_t)random_below(3);
	p.addr[0] = (uint8_t)(random_below(1u << p.length) << (8 - p.length));
	return p;
}

static struct sl_prefix *random_prefixes(size_t *n, size_t least)
{
	struct sl_prefix *prefixes = calloc(least + 4, sizeof(*prefixes));

	assert_non_null(prefixes);
	*n = least + random_below(4);
	for (size_t i = 0; i < *n; i++)
		prefixes[i] = random_prefix();
	return prefixes;
}

/* Live sets stand behind the others; `max`, unused here, is their number. */
static void random_sets(struct sl_config *c)
{
	c->n_sets = SETS + 2;
	c->sets = calloc(c->n_sets, sizeof(*c->sets));
	assert_non_null(c->sets);
	for (size_t i = 0; i < c->n_sets; i++) {
		struct sl_set *s = c->sets[i] = calloc(1, sizeof(*s));

		assert_non_null(s);
		s->live = i >= SETS;
		s->max = s->live ? i - SETS : 0;
		s->prefixes = random_prefixes(&s->n_prefixes, 0);
		s->macs = calloc(2, sizeof(*s->macs));
		assert_non_null(s->macs);
		s->n_macs = random_below(3);
		for (size_t m = 0; m < s->n_macs; m++)
			s->macs[m].addr[5] = (uint8_t)(1 + random_below(3));
	}
}

static struct sl_addr random_addr(const struct sl_config *c, uint32_t used,
				  enum dim d)
{
	struct sl_addr a = { .negated = one_in(4) };

	if (d == SRC && used & 1u << LIVE && one_in(3)) {
		a.kind = SL_ADDR_SET;
		a.set = c->sets[SETS + random_below(2)];
	} else if (!(used & 1u << d) || one_in(3)) {
		a.negated = false;
	} else if (one_in(3)) {
		a.kind = SL_ADDR_SET;
		a.set = c->sets[random_below(SETS)];
	} else {
		a.kind = SL_ADDR_PREFIXES;
		a.prefixes = random_prefixes(&a.n_prefixes, 1);
	}
	return a;
}

static struct sl_ports random_ports(bool used)
{
	static const struct sl_port_range ranges[] = {
		{ 0, 79 }, { 80, 80 },	  { 81, 65535 }, { 0, 65535 },
		{ 0, 80 }, { 80, 65535 }, { 80, 80 },
	};
	struct sl_ports p = { .any = !used || one_in(2) };

	if (p.any)
		return p;
	p.n_ranges = 1 + random_below(2);
	p.ranges = calloc(p.n_ranges, sizeof(*p.ranges));
	assert_non_null(p.ranges);
	for (size_t i = 0; i < p.n_ranges; i++)
		p.ranges[i] = ranges[random_below(7)];
	return p;
}

static void random_options(struct sl_options *o, const struct sl_config *c,
			   uint32_t used)
{
	static const uint32_t lows[] = { 0, 20, 25, 26, 40, 41, 61 };
	static const uint32_t highs[] = { 19, 24, 25, 39, 40, 60, 65535 };
	static const uint16_t ethertypes[] = { 0x0800, 0x86dd, 0x0806 };
	static const struct {
		enum dim d;
		uint32_t option;
	} options[] = {
		{ FLAGS, SL_OPT_FLAGS },    { ICMP, SL_OPT_ICMP_TYPE },
		{ ICMP, SL_OPT_ICMP_CODE }, { FRAGMENT, SL_OPT_FRAGMENT },
		{ DSCP, SL_OPT_DSCP },	    { ETHERTYPE, SL_OPT_ETHERTYPE },
		{ VLAN, SL_OPT_VLAN },	    { INNER, SL_OPT_INNER_VLAN },
		{ LENGTH, SL_OPT_LENGTH },  { MAC, SL_OPT_MAC_SRC },
	};
	uint32_t low;

	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
		if (used & 1u << options[i].d && one_in(3))
			o->written |= options[i].option;
	if (o->written & SL_OPT_ICMP_CODE)
		o->written |= SL_OPT_ICMP_TYPE;
	o->flags_mask = (uint8_t)random_below(4);
	o->flags_value = (uint8_t)random_below(4) & o->flags_mask;
	o->icmp_type = one_in(2) ? 3 : 0;
	o->icmp_code = (uint8_t)random_below(2);
	o->fragment = (enum sl_fragment)(SL_FRAG_FIRST + random_below(4));
	o->dscp = (uint8_t)random_below(2);
	o->vlan = (uint16_t)(5 + random_below(2));
	o->inner_vlan = (uint16_t)(5 + random_below(2));
	o->ethertype = ethertypes[random_below(3)];
	low = random_below(7);
	o->length_low = lows[low];
	o->length_high = highs[low + random_below(7 - low)];
	o->mac_src =
		(struct sl_mac_match){ one_in(3), c->sets[random_below(SETS)] };
}

static struct sl_rule random_rule(const struct sl_config *c, uint32_t used)
{
	static const enum sl_proto protos[] = { SL_PROTO_IP,	SL_PROTO_IP6,
						SL_PROTO_TCP,	SL_PROTO_UDP,
						SL_PROTO_ICMP,	SL_PROTO_ICMP6,
						SL_PROTO_NUMBER };
	struct sl_rule r = { .name = strdup("r") };

	assert_non_null(r.name);
	r.proto = one_in(2) ? SL_PROTO_ANY : protos[random_below(7)];
	r.proto_number = one_in(2) ? 6 : 47;
	r.src = random_addr(c, used, SRC);
	r.dst = random_addr(c, used, DST);
	r.sport = random_ports(used & 1u << SPORT);
	r.dport = random_ports(used & 1u << DPORT);
	random_options(&r.options, c, used);
	return r;
}

static void random_verdict(struct sl_rule *r)
{
	static const enum sl_action actions[] = {
		SL_ACTION_PASS, SL_ACTION_DROP, SL_ACTION_DROP, SL_ACTION_COUNT
	};

	r->verdict.action = actions[random_below(4)];
	r->on = one_in(8) ? strdup(one_in(2) ? "a" : "b") : NULL;
	if (one_in(8))
		r->options.written |= SL_OPT_OBSERVE;
	if (one_in(8))
		r->options.expires_ns = 1000000000;
}

/* Some of the dimensions; the kind always is. */
static uint32_t random_dims(void)
{
	uint32_t used = 1u << KIND;

	for (int i = 0; i < PARTS; i++)
		used |= 1u << (SRC + random_below(DIMS - SRC));
	return used;
}

static struct sl_config random_config(uint32_t used)
{
	struct sl_config c = { 0 };
	uint64_t start = 0, after;

	random_sets(&c);
	c.n_rules = 2 + random_below(RULES_MAX - 1);
	c.rules = calloc(c.n_rules, sizeof(*c.rules));
	assert_non_null(c.rules);
	for (size_t i = 0; i < c.n_rules; i++) {
		bool again = i && one_in(4); /* the same match once more */

		after = random_state;
		if (!again)
			start = after;
		random_state = start;
		c.rules[i] = random_rule(&c, used);
		if (again)
			random_state = after;
		random_verdict(&c.rules[i]);
	}
	return c;
}

static void free_config(struct sl_config *c)
{
	for (size_t i = 0; i < c->n_rules; i++) {
		free(c->rules[i].name);
		free(c->rules[i].on);
		free(c->rules[i].src.prefixes);
		free(c->rules[i].dst.prefixes);
		free(c->rules[i].sport.ranges);
		free(c->rules[i].dport.ranges);
	}
	free(c->rules);
	for (size_t i = 0; i < c->n_sets; i++) {
		free(c->sets[i]->prefixes);
		free(c->sets[i]->macs);
		free(c->sets[i]);
	}
	free(c->sets);
}

/* ---- what all packets say ----------------------------------------------- */

struct truth {
	const struct sl_compiled *compiled;
	bool some[RULES_MAX];		   /* a packet matches it */
	bool first[RULES_MAX];		   /* and gets that far */
	bool beside[RULES_MAX][RULES_MAX]; /* one matches b, but not a */
};

static bool decides(const struct sl_rule *r)
{
	return r->verdict.action != SL_ACTION_COUNT &&
	       !(r->options.written & SL_OPT_OBSERVE) && !r->options.expires_ns;
}

static void judge(struct truth *t, const uint32_t p[DIMS])
{
	size_t n = t->compiled->n_rules;
	bool hit[RULES_MAX], ended = false;

	for (size_t i = 0; i < n; i++) {
		const struct sl_rule *r = t->compiled->rules[i].rule;

		hit[i] = matches(r, p);
		t->some[i] |= hit[i];
		t->first[i] |= hit[i] && !ended;
		ended |= hit[i] && decides(r);
	}
	for (size_t b = 0; b < n; b++)
		for (size_t a = 0; hit[b] && a < n; a++)
			t->beside[a][b] |= !hit[a];
}

/* All packets of the world that differ in these dimensions. */
static void judge_all(struct truth *t, uint32_t used)
{
	unsigned at[DIMS] = { 0 };
	uint32_t p[DIMS];
	enum dim d;

	do {
		memset(p, 0, sizeof(p));
		for (d = KIND; d < DIMS; d++)
			if (used & 1u << d)
				p[d] = world[d].values[at[d]];
		settle(p, used);
		if (exists(p))
			judge(t, p);
		for (d = KIND; d < DIMS; at[d++] = 0)
			if (used & 1u << d && ++at[d] < world[d].n)
				break;
	} while (d < DIMS);
}

static bool covers(const struct truth *t, size_t a, size_t b)
{
	return t->some[b] && !t->beside[a][b];
}

static bool same_verdict(const struct sl_rule *a, const struct sl_rule *b)
{
	return a->verdict.action == b->verdict.action &&
	       !((a->options.written ^ b->options.written) & SL_OPT_OBSERVE);
}

/* The first rule that shadows b, else the first that b repeats; or n_rules. */
static size_t find_first(const struct truth *t, size_t b, bool never)
{
	for (size_t a = 0; a < b; a++) {
		const struct sl_rule *x = t->compiled->rules[a].rule;
		const struct sl_rule *y = t->compiled->rules[b].rule;

		if (never ? decides(x) && covers(t, a, b) :
			    !x->options.expires_ns && same_verdict(x, y) &&
				    covers(t, a, b) && covers(t, b, a))
			return a;
	}
	return t->compiled->n_rules;
}

static void check_rule(const struct truth *t, size_t b,
		       const struct sl_shadow *s)
{
	size_t n = t->compiled->n_rules, a = find_first(t, b, true);
	bool never = a < n;

	if (!never)
		a = find_first(t, b, false);
	if (!t->some[b]) {
		assert_null(s); /* nothing to shadow */
	} else if (a < n && (never || !s || !s->never)) {
		assert_non_null(s);
		assert_ptr_equal(s->by, t->compiled->rules[a].rule);
		assert_int_equal(s->never, never);
		assert_int_equal(s->same, covers(t, b, a));
		assert_int_equal(s->same_verdict, same_verdict(s->by, s->rule));
	} else if (s) { /* several together, at which one pair cannot tell */
		assert_null(s->by);
		assert_true(s->never);
		assert_false(t->first[b]);
	}
}

static void test_random_lists(void **state)
{
	const char *seed = getenv("SLUICE_SEED");
	size_t alone = 0, repeated = 0, together = 0;

	(void)state;
	random_state = seed ? strtoull(seed, NULL, 0) | 1 : 1;
	print_message("# seed %#llx\n", (unsigned long long)random_state);
	for (int list = 0; list < LISTS; list++) {
		uint32_t used = random_dims();
		struct sl_config config = random_config(used);
		struct sl_shadows found = { 0 };
		struct truth t = { 0 };
		struct sl_compiled *compiled;
		struct sl_error error;
		size_t next = 0;

		assert_int_equal(sl_compile(&config, "a", &compiled, &error),
				 0);
		t.compiled = compiled;
		judge_all(&t, used);
		assert_int_equal(sl_shadows_find(compiled, &found), 0);
		for (size_t b = 0; b < compiled->n_rules; b++) {
			const struct sl_shadow *s = &found.items[next];

			if (next == found.n_items ||
			    s->rule != compiled->rules[b].rule) {
				check_rule(&t, b, NULL);
				continue;
			}
			check_rule(&t, b, s);
			next++;
			alone += s->never && s->by;
			repeated += !s->never;
			together += !s->by;
		}
		assert_int_equal(next, found.n_items);
		sl_shadows_fini(&found);
		sl_compiled_free(compiled);
		free_config(&config);
	}
	/* Each kind was seen often enough to have been tested. */
	print_message("# %zu shadowed, %zu repeated, %zu by several\n", alone,
		      repeated, together);
	assert_true(alone > LISTS && repeated > 50 && together > 0);
}

/* The same with so many rules that there is no table of all answers. */
static void test_many(void **state)
{
	enum { N = 3000 };
	struct sl_prefix *prefixes = calloc(N, sizeof(*prefixes));
	struct sl_rule *rules = calloc(N + 2, sizeof(*rules));
	struct sl_config config = { .rules = rules, .n_rules = N + 2 };
	struct sl_shadows found = { 0 };
	struct sl_compiled *c = NULL;
	struct sl_error error;

	(void)state;
	assert_non_null(prefixes);
	assert_non_null(rules);
	for (uint32_t i = 0; i < N; i++) {
		uint32_t host = i % 2 ? i * 2654435761u : i / 2 * 40503u;

		prefixes[i] = (struct sl_prefix){ .family = 4, .length = 32 };
		for (int byte = 0; byte < 4; byte++)
			prefixes[i].addr[byte] = (uint8_t)(host >> 8 * byte);
	}
	for (size_t i = 0; i < N + 2; i++)
		rules[i] = (struct sl_rule){ .verdict.action = SL_ACTION_DROP,
					     .sport.any = true,
					     .dport.any = true };
	/* Each asks for a source and for the one before as destination. */
	for (size_t i = 0; i < N; i++) {
		rules[i].src = (struct sl_addr){ .kind = SL_ADDR_PREFIXES,
						 .prefixes = &prefixes[i],
						 .n_prefixes = 1 };
		rules[i].dst = rules[i ? i - 1 : N - 1].src;
	}
	rules[0].dst = rules[1].src;
	rules[N].src = rules[N / 2].src;
	rules[N].dst = rules[N / 2].dst;
	rules[N].verdict.action = SL_ACTION_PASS;
	rules[N + 1].src = rules[7].src;
	assert_int_equal(sl_compile(&config, "a", &c, &error), 0);
	assert_int_equal(c->gen.dense, 0);
	assert_int_equal(sl_shadows_find(c, &found), 0);
	assert_int_equal(found.n_items, 1);
	assert_ptr_equal(found.items[0].rule, &rules[N]);
	assert_ptr_equal(found.items[0].by, &rules[N / 2]);
	assert_true(found.items[0].never && found.items[0].same &&
		    !found.items[0].same_verdict);
	sl_shadows_fini(&found);
	sl_compiled_free(c);
	free(rules);
	free(prefixes);
}

/* Two port ranges side by side cover a third across both, and no more. */
static void test_together(void **state)
{
	struct sl_port_range ranges[] = {
		{ 0, 100 }, { 101, 200 }, { 50, 150 }, { 50, 201 }
	};
	struct sl_rule rules[4] = { 0 };
	struct sl_config config = { .rules = rules, .n_rules = 4 };
	struct sl_shadows found = { 0 };
	struct sl_compiled *c = NULL;
	struct sl_error error;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		rules[i].proto = SL_PROTO_TCP;
		rules[i].sport.any = true;
		rules[i].dport = (struct sl_ports){ .ranges = &ranges[i],
						    .n_ranges = 1 };
	}
	assert_int_equal(sl_compile(&config, "a", &c, &error), 0);
	assert_int_equal(sl_shadows_find(c, &found), 0);
	assert_int_equal(found.n_items, 1);
	assert_ptr_equal(found.items[0].rule, &rules[2]);
	assert_null(found.items[0].by);
	assert_true(found.items[0].never);
	sl_shadows_fini(&found);
	sl_compiled_free(c);
}

/* No rules, no findings. */
static void test_none(void **state)
{
	struct sl_config config = { 0 };
	struct sl_shadows found = { 0 };
	struct sl_compiled *c = NULL;
	struct sl_error error;

	(void)state;
	assert_int_equal(sl_compile(&config, "a", &c, &error), 0);
	assert_int_equal(sl_shadows_find(c, &found), 0);
	assert_int_equal(found.n_items, 0);
	sl_compiled_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_lists),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_together),
		cmocka_unit_test(test_none),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
