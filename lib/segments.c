// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * A sweep over the ends of all prefixes. Prefixes are nested or disjoint, so a
 * rule's own prefixes may overlap: a depth counter a rule says whether the
 * sweep is inside any of them, and the rule's bit follows the counter's change
 * between zero and not zero.
 *
 * Rules that name the same set share its edges and its counter: 1,000 rules
 * that ask for one set of 50,000 prefixes are 100,000 edges, not 100 million.
 */
#include "segments.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "classes.h"
#include "config.h"

struct edge {
	sl_address at;
	uint32_t list;
	int32_t step; /* +1 a prefix begins here, -1 it ended just before */
};

/* The conditions on one list of prefixes: conditions[first .. end - 1]. */
struct list {
	size_t first, end;
	uint32_t depth; /* of how many prefixes the sweep is inside */
};

struct sweep {
	struct sl_address_condition *conditions; /* by their prefixes */
	struct list *lists;
	size_t n_lists;
	struct edge *edges;
	size_t n_edges;
	uint64_t *vector; /* of the rules that match here */
};

static sl_address prefix_first(const struct sl_prefix *prefix)
{
	sl_address address = 0;

	for (int i = 0; i < 16; i++)
		address = address << 8 | (i < (prefix->family == 4 ? 4 : 16) ?
						  prefix->addr[i] :
						  0);
	return address;
}

/* The first address after the prefix; 0 when it reaches the end of the space. */
static sl_address prefix_after(const struct sl_prefix *prefix)
{
	if (prefix->length == 0)
		return 0;
	return prefix_first(prefix) + ((sl_address)1 << (128 - prefix->length));
}

static int compare_edges(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;

	return (x->at > y->at) - (x->at < y->at);
}

static int compare_conditions(const void *a, const void *b)
{
	const struct sl_address_condition *x = a, *y = b;

	if (x->prefixes != y->prefixes)
		return (uintptr_t)x->prefixes < (uintptr_t)y->prefixes ? -1 : 1;
	return (x->n_prefixes > y->n_prefixes) -
	       (x->n_prefixes < y->n_prefixes);
}

static int collect_lists(const struct sl_address_condition *conditions,
			 size_t n, struct sweep *s)
{
	s->conditions = calloc(n + 1, sizeof(*s->conditions));
	s->lists = calloc(n + 1, sizeof(*s->lists));
	if (!s->conditions || !s->lists)
		return -ENOMEM;
	memcpy(s->conditions, conditions, n * sizeof(*conditions));
	qsort(s->conditions, n, sizeof(*s->conditions), compare_conditions);
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || compare_conditions(&s->conditions[i - 1],
						 &s->conditions[i]) != 0)
			s->lists[s->n_lists++].first = i;
		s->lists[s->n_lists - 1].end = i + 1;
	}
	return 0;
}

static int collect_edges(int family, struct sweep *s)
{
	size_t room = 0;

	for (size_t i = 0; i < s->n_lists; i++)
		room += s->conditions[s->lists[i].first].n_prefixes * 2;
	s->edges = calloc(room + 1, sizeof(*s->edges));
	if (!s->edges)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_lists; i++) {
		const struct sl_address_condition *c =
			&s->conditions[s->lists[i].first];

		for (size_t p = 0; p < c->n_prefixes; p++) {
			sl_address after = prefix_after(&c->prefixes[p]);

			if (c->prefixes[p].family != family)
				continue;
			s->edges[s->n_edges++] =
				(struct edge){ prefix_first(&c->prefixes[p]), i,
					       1 };
			if (after)
				s->edges[s->n_edges++] =
					(struct edge){ after, i, -1 };
		}
	}
	qsort(s->edges, s->n_edges, sizeof(*s->edges), compare_edges);
	return 0;
}

static void set_rules(struct sweep *s, size_t which)
{
	const struct list *list = &s->lists[which];
	bool inside = list->depth != 0;

	for (size_t i = list->first; i < list->end; i++) {
		const struct sl_address_condition *c = &s->conditions[i];

		if (inside != (c->negated != 0))
			sl_bit_set(s->vector, c->rule);
		else
			sl_bit_clear(s->vector, c->rule);
	}
}

/* Past an edge: sets the rules' bits if it takes the sweep in or out. */
static void pass_edge(struct sweep *s, const struct edge *edge)
{
	struct list *list = &s->lists[edge->list];
	bool was_inside = list->depth != 0;

	list->depth += edge->step;
	if (was_inside != (list->depth != 0))
		set_rules(s, edge->list);
}

static int run_sweep(struct sweep *s, struct sl_classes *classes,
		     struct sl_segments *segments)
{
	size_t e = 0, n = 0;
	sl_address at = 0;

	for (;;) {
		int64_t class_id;

		for (; e < s->n_edges && s->edges[e].at == at; e++)
			pass_edge(s, &s->edges[e]);
		class_id = sl_classes_add(classes, s->vector);
		if (class_id < 0)
			return (int)class_id;
		if (n == 0 || segments->items[n - 1].class_id != class_id)
			segments->items[n++] =
				(struct sl_segment){ at, (uint32_t)class_id };
		if (e == s->n_edges)
			break;
		at = s->edges[e].at;
	}
	segments->n_items = n;
	return 0;
}

int sl_segments_build(int family, const struct sl_address_condition *conditions,
		      size_t n, const uint64_t *base,
		      struct sl_classes *classes, struct sl_segments *segments)
{
	struct sweep s = { 0 };
	struct sl_segments built = { 0 };
	int err = -ENOMEM;

	s.vector = calloc(classes->words, sizeof(*s.vector));
	if (!s.vector || collect_lists(conditions, n, &s) < 0 ||
	    collect_edges(family, &s) < 0)
		goto out;
	built.items = calloc(s.n_edges + 1, sizeof(*built.items));
	if (!built.items)
		goto out;
	memcpy(s.vector, base, classes->words * sizeof(*s.vector));
	for (size_t i = 0; i < s.n_lists; i++)
		set_rules(&s, i);
	err = run_sweep(&s, classes, &built);
	if (err)
		goto out;
	*segments = built;
	built.items = NULL;
out:
	free(built.items);
	free(s.edges);
	free(s.conditions);
	free(s.lists);
	free(s.vector);
	return err;
}

void sl_segments_fini(struct sl_segments *segments)
{
	free(segments->items);
	*segments = (struct sl_segments){ 0 };
}
