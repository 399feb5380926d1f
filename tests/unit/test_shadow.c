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
#include "shadow_lists.h"
#include "shadow_world.h"

#define LISTS 3000

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
