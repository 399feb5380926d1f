// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "live_change.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "error.h"

struct change {
	struct sl_live_holder *places;
	size_t n_places;
	const struct sl_prefix *prefixes;
	size_t n_prefixes;
	bool add;
	bool *done; /* a place after the other, for each prefix */
};

/* 1, 0 or -errno, as sl_live_add() and sl_live_del(). */
static int change_one(const struct change *c, size_t i, bool add,
		      struct sl_error *error)
{
	struct sl_live_holder *p = &c->places[i % c->n_places];
	const struct sl_prefix *prefix = &c->prefixes[i / c->n_places];
	int err;

	if (add)
		return sl_live_add(&p->live, p->set, prefix, error);
	err = sl_live_del(&p->live, p->set, prefix);
	if (err < 0)
		sl_error_set(error, err, "set \"%s\": delete: %s",
			     p->live.header->sets[p->set].name, strerror(-err));
	return err;
}

/* An addition undone leaves its room, so that undoing a deletion finds it. */
static void undo(const struct change *c, size_t n)
{
	struct sl_error ignored;

	while (n-- > 0)
		if (c->done[n])
			change_one(c, n, !c->add, &ignored);
}

/* The counts are those of before the change, for it is undone by now. */
static int refuse_full(const struct change *c, const struct sl_live_holder *p,
		       struct sl_error *error)
{
	const struct sl_live_header *h = p->live.header;
	const struct sl_live_set *s = &h->sets[p->set];

	if (s->max < h->capacity)
		return sl_error_set(
			error, -ENOSPC,
			"set \"%s\" on %s: it holds %u of at most %u prefixes, "
			"so none of the %zu was added; `max N` in the "
			"configuration makes more room",
			s->name, p->interface, s->count, s->max, c->n_prefixes);
	return sl_error_set(
		error, -ENOSPC,
		"set \"%s\" on %s: it holds %u prefixes, and all live sets "
		"together %u of at most %u, so none of the %zu was added; `max "
		"N` in the configuration makes more room",
		s->name, p->interface, s->count, h->entries, h->capacity,
		c->n_prefixes);
}

static long run(const struct change *c, struct sl_error *error)
{
	size_t n = c->n_places * c->n_prefixes;
	size_t counted = 0; /* prefixes up to this one */
	long changed = 0;

	for (size_t i = 0; i < n; i++) {
		int done = change_one(c, i, c->add, error);

		if (done < 0) {
			undo(c, i);
			return done == -ENOSPC && c->add ?
				       refuse_full(c,
						   &c->places[i % c->n_places],
						   error) :
				       done;
		}
		c->done[i] = done;
		if (done && counted <= i / c->n_places) {
			counted = i / c->n_places + 1;
			changed++;
		}
	}
	return changed;
}

long sl_live_change(struct sl_live_holder *places, size_t n_places,
		    const struct sl_prefix *prefixes, size_t n_prefixes,
		    bool add, struct sl_error *error)
{
	struct change c = { places, n_places, prefixes, n_prefixes, add, NULL };
	long changed;

	c.done = calloc(n_places * n_prefixes + 1, sizeof(*c.done));
	if (!c.done)
		return sl_error_set(error, -ENOMEM, "out of memory");
	changed = run(&c, error);
	free(c.done);
	return changed;
}
