// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * A statement is compared by its canonical text. A rule that both have counts as
 * moved if it is not on one longest run of rules whose order is the same in
 * both: the fewest that must move to make one order of the other.
 */
#include "difference.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "config.h"
#include "rulelist.h"
#include "symbol.h"

const char *const sl_difference_words[SL_DIFF_KINDS] = {
	[SL_DIFF_ADDED] = "added",
	[SL_DIFF_REMOVED] = "removed",
	[SL_DIFF_CHANGED] = "changed",
	[SL_DIFF_MOVED] = "moved",
};

/* A rule of the new configuration that the old one has, too. */
struct pair {
	size_t old, new;
	bool in_order;
};

/* Takes the texts over, also on failure. */
static int add(struct sl_difference_list *list, struct sl_difference_item item)
{
	struct sl_difference_item *more =
		sl_array_room(list->items, list->n, sizeof(*more));

	if (!more) {
		free(item.old);
		free(item.new);
		return -ENOMEM;
	}
	list->items = more;
	more[list->n++] = item;
	return 0;
}

/* What `part` alone prints, without its newline; to free(). */
static char *part_text(const struct sl_config *part)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);
	int err = out ? sl_config_print(part, SL_PRINT_EXPAND, out) : -1;

	if (!out)
		return NULL;
	if (fclose(out) != 0 || err) {
		free(text);
		return NULL;
	}
	if (bytes && text[bytes - 1] == '\n')
		text[bytes - 1] = '\0';
	return text;
}

static char *interface_text(const struct sl_config *c, size_t i)
{
	return part_text(&(struct sl_config){ .interfaces = &c->interfaces[i],
					      .n_interfaces = 1 });
}

static char *set_text(const struct sl_config *c, size_t i)
{
	return part_text(
		&(struct sl_config){ .sets = &c->sets[i], .n_sets = 1 });
}

static char *other_text(const struct sl_config *c)
{
	return part_text(&(struct sl_config){ .limits = c->limits,
					      .extensions = c->extensions,
					      .n_extensions = c->n_extensions,
					      .forwarder = c->forwarder,
					      .metrics = c->metrics });
}

/* A statement that one has, or both; it is noted if it differs. */
static int compare(struct sl_difference_list *list,
		   struct sl_difference_item item, bool has_old, bool has_new)
{
	if ((has_old && !item.old) || (has_new && !item.new)) {
		free(item.old);
		free(item.new);
		return -ENOMEM;
	}
	item.kind = !item.old ? SL_DIFF_ADDED :
		    !item.new ? SL_DIFF_REMOVED :
				SL_DIFF_CHANGED;
	if (item.old && item.new &&strcmp(item.old, item.new) == 0) {
		free(item.old);
		free(item.new);
		return 0;
	}
	return add(list, item);
}

static size_t find_interface(const struct sl_config *c, const char *name)
{
	const struct sl_interface *found = sl_config_interface(c, name);

	return found ? (size_t)(found - c->interfaces) : SL_SYMBOL_NONE;
}

static int compare_interfaces(const struct sl_config *old,
			      const struct sl_config *new,
			      struct sl_difference *d)
{
	int err = 0;

	for (size_t i = 0; i < new->n_interfaces && !err; i++) {
		const char *name = new->interfaces[i].name;
		size_t at = find_interface(old, name);
		bool has = at != SL_SYMBOL_NONE;
		struct sl_difference_item item = {
			.name = name,
			.old = has ? interface_text(old, at) : NULL,
			.new = interface_text(new, i),
		};

		err = compare(&d->interfaces, item, has, true);
	}
	for (size_t i = 0; i < old->n_interfaces && !err; i++) {
		struct sl_difference_item item = {
			.name = old->interfaces[i].name,
		};

		if (sl_config_interface(new, item.name))
			continue;
		item.old = interface_text(old, i);
		err = compare(&d->interfaces, item, true, false);
	}
	return err;
}

static size_t find_set(const struct sl_config *c, const char *name)
{
	for (size_t i = 0; i < c->n_sets; i++)
		if (strcmp(c->sets[i]->name, name) == 0)
			return i;
	return SL_SYMBOL_NONE;
}

static size_t members(const struct sl_set *set)
{
	return set->n_prefixes + set->n_macs;
}

/* Texts of a million prefixes are compared, and not kept. */
static int compare_set(const struct sl_config *old, size_t a,
		       const struct sl_config *new, size_t b,
		       struct sl_difference *d)
{
	bool has_old = a != SL_SYMBOL_NONE, has_new = b != SL_SYMBOL_NONE;
	struct sl_difference_item item = {
		.name = has_new ? new->sets[b]->name : old->sets[a]->name,
		.old = has_old ? set_text(old, a) : NULL,
		.new = has_new ? set_text(new, b) : NULL,
		.n_old = has_old ? members(old->sets[a]) : 0,
		.n_new = has_new ? members(new->sets[b]) : 0,
	};
	size_t before = d->sets.n;
	int err = compare(&d->sets, item, has_old, has_new);

	if (!err && d->sets.n > before) {
		free(d->sets.items[before].old);
		free(d->sets.items[before].new);
		d->sets.items[before].old = d->sets.items[before].new = NULL;
	}
	return err;
}

static int compare_sets(const struct sl_config *old,
			const struct sl_config *new, struct sl_difference *d)
{
	int err = 0;

	for (size_t i = 0; i < new->n_sets && !err; i++)
		err = compare_set(old, find_set(old, new->sets[i]->name), new,
				  i, d);
	for (size_t i = 0; i < old->n_sets && !err; i++)
		if (find_set(new, old->sets[i]->name) == SL_SYMBOL_NONE)
			err = compare_set(old, i, new, SL_SYMBOL_NONE, d);
	return err;
}

/*
 * Patience: heap[k] is the pair with the smallest old place at which a run of
 * k + 1 may end; `before` leads back along the longest one.
 */
static int find_order(struct pair *pairs, size_t n)
{
	size_t *heap = calloc(n + 1, sizeof(*heap));
	size_t *before = calloc(n + 1, sizeof(*before));
	size_t length = 0;

	if (!heap || !before) {
		free(heap);
		free(before);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++) {
		size_t low = 0, high = length;

		while (low < high) {
			size_t middle = (low + high) / 2;

			if (pairs[heap[middle]].old < pairs[i].old)
				low = middle + 1;
			else
				high = middle;
		}
		before[i] = low ? heap[low - 1] : SL_SYMBOL_NONE;
		heap[low] = i;
		if (low == length)
			length++;
	}
	for (size_t i = length ? heap[length - 1] : SL_SYMBOL_NONE;
	     i != SL_SYMBOL_NONE; i = before[i])
		pairs[i].in_order = true;
	free(heap);
	free(before);
	return 0;
}

static int compare_pair(const struct sl_config *old,
			const struct sl_config *new, const struct pair *pair,
			struct sl_difference *d)
{
	struct sl_difference_item item = {
		.kind = SL_DIFF_MOVED,
		.name = new->rules[pair->new].name,
		.old = sl_rule_text(&old->rules[pair->old]),
		.new = sl_rule_text(&new->rules[pair->new]),
	};

	if (item.old && item.new &&strcmp(item.old, item.new) == 0 &&
	    !pair->in_order)
		return add(&d->rules, item);
	return compare(&d->rules, item, true, true);
}

static int add_rule(const struct sl_rule *rule, bool is_new,
		    struct sl_difference *d)
{
	char *text = sl_rule_text(rule);
	struct sl_difference_item item = { .name = rule->name,
					   .old = is_new ? NULL : text,
					   .new = is_new ? text : NULL };

	return compare(&d->rules, item, !is_new, is_new);
}

static int list_rules(const struct sl_config *old, const struct sl_config *new,
		      const struct sl_symbols *by_name, struct pair *pairs,
		      struct sl_difference *d)
{
	size_t n = 0;
	int err;

	for (size_t i = 0; i < new->n_rules; i++) {
		size_t at = sl_symbols_find(by_name, new->rules[i].name);

		if (at != SL_SYMBOL_NONE)
			pairs[n++] = (struct pair){ .old = at, .new = i };
	}
	err = find_order(pairs, n);
	n = 0;
	for (size_t i = 0; i < new->n_rules && !err; i++) {
		if (sl_symbols_find(by_name, new->rules[i].name) ==
		    SL_SYMBOL_NONE)
			err = add_rule(&new->rules[i], true, d);
		else
			err = compare_pair(old, new, &pairs[n++], d);
	}
	return err;
}

static int compare_rules(const struct sl_config *old,
			 const struct sl_config *new, struct sl_difference *d)
{
	struct pair *pairs = calloc(new->n_rules + 1, sizeof(*pairs));
	struct sl_symbols was = { 0 }, is = { 0 };
	int err = pairs ? sl_rulelist_index(old, &was) : -ENOMEM;

	if (!err)
		err = sl_rulelist_index(new, &is);
	if (!err)
		err = list_rules(old, new, &was, pairs, d);
	for (size_t i = 0; i < old->n_rules && !err; i++)
		if (!sl_rule_is_live(&old->rules[i]) &&
		    sl_symbols_find(&is, old->rules[i].name) == SL_SYMBOL_NONE)
			err = add_rule(&old->rules[i], false, d);
	sl_symbols_fini(&was);
	sl_symbols_fini(&is);
	free(pairs);
	return err;
}

static int compare_rest(const struct sl_config *old,
			const struct sl_config *new, struct sl_difference *d)
{
	char *was = other_text(old), *is = other_text(new);
	int err = was && is ? 0 : -ENOMEM;

	if (!err)
		d->other = strcmp(was, is) != 0;
	d->default_old = old->default_drop ? "drop" : "pass";
	d->default_new = new->default_drop ? "drop" : "pass";
	d->default_changed = old->default_drop != new->default_drop;
	free(was);
	free(is);
	return err;
}

int sl_difference_find(const struct sl_config *old, const struct sl_config *new,
		       struct sl_difference *difference)
{
	static const struct sl_config nothing;
	struct sl_difference found = { 0 };
	int err;

	if (!old)
		old = &nothing;
	err = compare_interfaces(old, new, &found);
	if (!err)
		err = compare_sets(old, new, &found);
	if (!err)
		err = compare_rules(old, new, &found);
	if (!err)
		err = compare_rest(old, new, &found);
	if (err)
		sl_difference_fini(&found);
	else
		*difference = found;
	return err;
}

static void fini_list(struct sl_difference_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		free(list->items[i].old);
		free(list->items[i].new);
	}
	free(list->items);
}

void sl_difference_fini(struct sl_difference *d)
{
	fini_list(&d->interfaces);
	fini_list(&d->rules);
	fini_list(&d->sets);
	*d = (struct sl_difference){ 0 };
}

bool sl_difference_any(const struct sl_difference *d)
{
	return d->interfaces.n || d->rules.n || d->sets.n ||
	       d->default_changed || d->other;
}
