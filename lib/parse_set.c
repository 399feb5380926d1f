/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include "parse.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "array.h"
#include "setfile.h"

struct context {
	struct sl_set *set;
	bool after_file; /* `file "A", "B"` */
};

static struct sl_item *add_item(struct sl_set *set, enum sl_item_kind kind,
				struct sl_pos pos)
{
	struct sl_item *item =
		sl_array_room(set->items, set->n_items, sizeof(*item));

	if (!item)
		return NULL;
	set->items = item;
	item += set->n_items++;
	item->kind = kind;
	item->pos = pos;
	return item;
}

static int parse_file(struct sl_parser *p, struct sl_set *set)
{
	struct sl_pos pos = p->token.pos;
	struct sl_item *item;
	char *path;
	int err = sl_parse_path(p, "the path of a set file", &path);

	if (err)
		return err;
	item = add_item(set, SL_ITEM_FILE, pos);
	if (!item) {
		free(path);
		return -ENOMEM;
	}
	item->path = path;
	err = sl_setfile_read(p, set, path, pos);
	/* The item itself is well formed: the block goes on behind it. */
	return err == -ENOMEM ? err : 0;
}

static int parse_mac(struct sl_parser *p, struct sl_set *set)
{
	const struct sl_token *t = &p->token;
	struct sl_pos pos = t->pos;
	struct sl_prefix prefix;
	struct sl_item *item;
	struct sl_mac *macs, mac;
	bool host_bits;

	if (t->kind == SL_TOKEN_WORD &&
	    !sl_prefix_parse(t->text, t->length, &prefix, &host_bits))
		return sl_parse_error(
			p, pos,
			"set \"%s\" holds MAC addresses, this is an IP address: keep them in two sets",
			set->name);
	if (t->kind != SL_TOKEN_WORD || sl_mac_parse(t->text, t->length, &mac))
		return sl_parse_expected(p, "a MAC address or file \"PATH\"");
	macs = sl_array_room(set->macs, set->n_macs, sizeof(*macs));
	if (!macs)
		return -ENOMEM;
	set->macs = macs;
	item = add_item(set, SL_ITEM_MAC, pos);
	if (!item)
		return -ENOMEM;
	item->mac = macs[set->n_macs++] = mac;
	sl_parse_next(p);
	return 0;
}

static int parse_prefix(struct sl_parser *p, struct sl_set *set)
{
	const struct sl_token *t = &p->token;
	struct sl_pos pos = t->pos;
	struct sl_item *item;
	struct sl_prefix *prefixes, prefix;
	struct sl_mac mac;
	int err;

	if (t->kind == SL_TOKEN_WORD && !sl_mac_parse(t->text, t->length, &mac))
		return sl_parse_error(
			p, pos,
			"set \"%s\" holds IP addresses, this is a MAC address: write set NAME mac { ... } for those",
			set->name);
	if (t->kind != SL_TOKEN_WORD)
		return sl_parse_expected(
			p, "an address or prefix, or file \"PATH\"");
	err = sl_parse_prefix(p, &prefix);
	if (err)
		return err;
	prefixes = sl_array_room(set->prefixes, set->n_prefixes,
				 sizeof(*prefixes));
	if (!prefixes)
		return -ENOMEM;
	set->prefixes = prefixes;
	item = add_item(set, SL_ITEM_PREFIX, pos);
	if (!item)
		return -ENOMEM;
	item->prefix = prefixes[set->n_prefixes++] = prefix;
	return 0;
}

static int item(struct sl_parser *p, void *context)
{
	struct context *c = context;

	if (sl_parse_accept(p, "file")) {
		c->after_file = true;
		return parse_file(p, c->set);
	}
	if (c->after_file && p->token.kind == SL_TOKEN_WORD && p->token.quoted)
		return parse_file(p, c->set);
	c->after_file = false;
	return c->set->mac ? parse_mac(p, c->set) : parse_prefix(p, c->set);
}

static struct sl_set *add_set(struct sl_config *c)
{
	struct sl_set **sets = sl_array_room(c->sets, c->n_sets, sizeof(*sets));
	struct sl_set *set;

	if (!sets)
		return NULL;
	c->sets = sets;
	set = calloc(1, sizeof(*set));
	if (set)
		sets[c->n_sets++] = set;
	return set;
}

static int parse_header(struct sl_parser *p, struct sl_set *set)
{
	set->mac = sl_parse_accept(p, "mac");
	set->live_pos = p->token.pos;
	set->live = sl_parse_accept(p, "live");
	set->max_pos = p->token.pos;
	if (sl_parse_accept(p, "max")) {
		int err = sl_parse_number(p, "a number of items", 1, UINT32_MAX,
					  &set->max);

		if (err)
			return err;
	}
	if (p->token.kind != SL_TOKEN_OPEN)
		return sl_parse_expected(
			p, "{ (before it, in this order: mac, live, max N)");
	return 0;
}

static int check_max(struct sl_parser *p, const struct sl_set *set)
{
	size_t n = set->mac ? set->n_macs : set->n_prefixes;

	if (!set->max || n <= set->max)
		return 0;
	return sl_parse_error(p, set->max_pos,
			      "set \"%s\" has %zu items and a max of %ju",
			      set->name, n, (uintmax_t)set->max);
}

int sl_parse_set(struct sl_parser *p)
{
	struct sl_config *c = p->config;
	struct sl_pos pos = p->token.pos;
	struct context context = { 0 };
	struct sl_set *set;
	size_t same;
	char *name;
	int err = sl_parse_name(p, "a set name", &name);

	if (err)
		return err;
	set = add_set(c);
	if (!set) {
		free(name);
		return -ENOMEM;
	}
	set->name = name;
	set->pos = pos;
	same = sl_symbols_find(&p->sets, name);
	if (same != SL_SYMBOL_NONE)
		return sl_parse_error(
			p, pos, "set \"%s\" is defined in line %u already",
			name, c->sets[same]->pos.line);
	err = sl_symbols_add(&p->sets, name, c->n_sets - 1);
	if (!err)
		err = parse_header(p, set);
	context.set = set;
	if (!err)
		err = sl_parse_block(p, item, &context);
	return err ? err : check_max(p, set);
}
