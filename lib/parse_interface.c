/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include "parse.h"

#include <errno.h>
#include <stdlib.h>

#include "array.h"
#include "keyword.h"

enum { SEEN_MODE = 1, SEEN_ATTACH = 2, SEEN_FRAGS = 4, SEEN_COUNT = 8 };

struct settings {
	struct sl_interface values;
	unsigned seen;
};

static int parse_mode(struct sl_parser *p, struct settings *s)
{
	unsigned choice = 0;
	int err = sl_parse_once(p, &s->seen, SEEN_MODE, "mode");

	if (err)
		return err;
	sl_parse_next(p);
	err = sl_parse_choice(p, sl_mode_words, "native, generic or auto",
			      &choice);
	s->values.mode = choice;
	return err;
}

static int parse_attach(struct sl_parser *p, struct settings *s)
{
	unsigned choice = 0;
	int err = sl_parse_once(p, &s->seen, SEEN_ATTACH, "attach");

	if (err)
		return err;
	sl_parse_next(p);
	err = sl_parse_choice(p, sl_attach_words, "exclusive or shared",
			      &choice);
	s->values.attach = choice;
	return err;
}

static int parse_frags(struct sl_parser *p, struct settings *s)
{
	static const char *const words[] = { "off", "on", NULL };
	unsigned choice = 0;
	int err = sl_parse_once(p, &s->seen, SEEN_FRAGS, "frags");

	if (err)
		return err;
	sl_parse_next(p);
	err = sl_parse_choice(p, words, "on or off", &choice);
	s->values.frags = choice == 1;
	return err;
}

static int parse_count(struct sl_parser *p, struct settings *s)
{
	int err = sl_parse_once(p, &s->seen, SEEN_COUNT, "count");

	if (err)
		return err;
	s->values.count_pos = p->token.pos;
	s->values.count_source_port = true;
	sl_parse_next(p);
	if (!sl_parse_accept(p, "source-port"))
		return sl_parse_expected(p, "source-port");
	return 0;
}

static int item(struct sl_parser *p, void *context)
{
	if (sl_parse_at(p, "mode"))
		return parse_mode(p, context);
	if (sl_parse_at(p, "attach"))
		return parse_attach(p, context);
	if (sl_parse_at(p, "frags"))
		return parse_frags(p, context);
	if (sl_parse_at(p, "count"))
		return parse_count(p, context);
	return sl_parse_expected(p, "mode, attach, frags or count source-port");
}

static int parse_one_name(struct sl_parser *p)
{
	struct sl_config *c = p->config;
	struct sl_pos pos = p->token.pos;
	struct sl_interface *i;
	size_t same;
	char *name;
	int err = sl_parse_interface_name(p, &name);

	if (err)
		return err;
	i = sl_array_room(c->interfaces, c->n_interfaces, sizeof(*i));
	if (!i) {
		free(name);
		return -ENOMEM;
	}
	c->interfaces = i;
	i += c->n_interfaces++;
	i->name = name;
	i->pos = pos;
	i->statement = p->statement;
	same = sl_symbols_find(&p->interfaces, name);
	if (same != SL_SYMBOL_NONE)
		return sl_parse_error(
			p, pos, "interface \"%s\" stands in line %u already",
			name, c->interfaces[same].pos.line);
	return sl_symbols_add(&p->interfaces, name, c->n_interfaces - 1);
}

/* Gives the interfaces from `first` on what the braces say. */
static void apply(struct sl_config *c, size_t first,
		  const struct sl_interface *values)
{
	for (size_t i = first; i < c->n_interfaces; i++) {
		c->interfaces[i].mode = values->mode;
		c->interfaces[i].attach = values->attach;
		c->interfaces[i].frags = values->frags;
		c->interfaces[i].count_source_port = values->count_source_port;
		c->interfaces[i].count_pos = values->count_pos;
	}
}

int sl_parse_interface(struct sl_parser *p)
{
	struct settings s = { .values = { .mode = SL_MODE_NATIVE } };
	size_t first = p->config->n_interfaces;
	int err = parse_one_name(p);

	while (!err && p->token.kind == SL_TOKEN_COMMA) {
		sl_parse_next(p);
		err = parse_one_name(p);
	}
	if (!err && p->token.kind == SL_TOKEN_OPEN)
		err = sl_parse_block(p, item, &s);
	else if (!err && p->token.kind != SL_TOKEN_NEWLINE &&
		 p->token.kind != SL_TOKEN_END)
		err = sl_parse_expected(p, ", or { or the end of the line");
	if (!err)
		apply(p->config, first, &s.values);
	return err;
}
