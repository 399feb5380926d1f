/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include "parse.h"
#include "sluice/abi.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "textfile.h"

#define EXTENSION_SLOTS 16 /* before, and again after, classification */

static int parse_default(struct sl_parser *p)
{
	static const char *const words[] = { "pass", "drop", NULL };
	struct sl_config *c = p->config;
	unsigned choice = 0;
	int err;

	if (c->default_given)
		return sl_parse_error(p, p->token.pos,
				      "default is given twice");
	err = sl_parse_choice(p, words, "pass or drop", &choice);
	if (err)
		return err;
	c->default_given = true;
	c->default_drop = choice == 1;
	return 0;
}

static int limits_item(struct sl_parser *p, void *context)
{
	static const char *const words[] = { "rules", "tables", "sets", NULL };
	struct sl_limits *limits = &p->config->limits;
	unsigned choice = 0, *seen = context;
	struct sl_pos pos = p->token.pos;
	int err = sl_parse_choice(p, words, "rules, tables or sets", &choice);

	if (err)
		return err;
	if (*seen & 1u << choice)
		return sl_parse_error(p, pos, "%s is given twice",
				      words[choice]);
	*seen |= 1u << choice;
	if (choice == 0)
		return sl_parse_number(p, "a number of rules", 1, SL_RULES_MAX,
				       &limits->rules);
	return sl_parse_size(p, choice == 1 ? &limits->tables_bytes :
					      &limits->sets_bytes);
}

static int parse_limits(struct sl_parser *p)
{
	struct sl_limits *limits = &p->config->limits;
	unsigned seen = 0;

	if (limits->given)
		return sl_parse_error(p, p->token.pos,
				      "limits are given twice");
	limits->given = true;
	limits->pos = p->statement_pos;
	return sl_parse_block(p, limits_item, &seen);
}

static int parse_extension(struct sl_parser *p)
{
	static const char *const words[] = { "before", "after", NULL };
	struct sl_config *c = p->config;
	struct sl_extension *e;
	struct sl_pos pos = p->statement_pos;
	unsigned choice = 0;
	int err;

	e = sl_array_room(c->extensions, c->n_extensions, sizeof(*e));
	if (!e)
		return -ENOMEM;
	c->extensions = e;
	e += c->n_extensions++;
	e->pos = pos;
	err = sl_parse_choice(p, words, "before or after", &choice);
	if (err)
		return err;
	e->after = choice == 1;
	err = sl_parse_number32(p, "a slot", 0, EXTENSION_SLOTS - 1, &e->slot);
	if (err)
		return err;
	err = sl_parse_path(p, "the path of a BPF object", &e->path);
	if (err)
		return err;
	for (const struct sl_extension *o = c->extensions; o < e; o++)
		if (o->path && o->after == e->after && o->slot == e->slot)
			return sl_parse_error(p, pos,
					      "slot %s %u is taken in line %u",
					      words[choice], e->slot,
					      o->pos.line);
	return 0;
}

static int metrics_item(struct sl_parser *p, void *context)
{
	struct sl_metrics *metrics = &p->config->metrics;
	unsigned *seen = context;
	int err;

	if (sl_parse_at(p, "listen")) {
		err = sl_parse_once(p, seen, 1, "listen");
		if (err)
			return err;
		sl_parse_next(p);
		return sl_parse_path(p, "an address to listen on",
				     &metrics->listen);
	}
	if (sl_parse_at(p, "ports")) {
		err = sl_parse_once(p, seen, 2, "ports");
		if (err)
			return err;
		sl_parse_next(p);
		return sl_parse_number32(p, "a number of ports", 1, 65536,
					 &metrics->ports);
	}
	return sl_parse_expected(p, "listen or ports");
}

static int parse_metrics(struct sl_parser *p)
{
	struct sl_metrics *metrics = &p->config->metrics;
	unsigned seen = 0;

	if (metrics->given)
		return sl_parse_error(p, p->token.pos,
				      "metrics are given twice");
	metrics->given = true;
	metrics->pos = p->statement_pos;
	return sl_parse_block(p, metrics_item, &seen);
}

static const struct statement {
	const char *keyword;
	int (*parse)(struct sl_parser *p);
} statements[] = {
	{ "interface", sl_parse_interface }, { "default", parse_default },
	{ "limits", parse_limits },	     { "set", sl_parse_set },
	{ "rule", sl_parse_rule },	     { "extension", parse_extension },
	{ "forwarder", sl_parse_forwarder }, { "metrics", parse_metrics },
};

static const struct statement *find_statement(const struct sl_parser *p)
{
	for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++)
		if (sl_parse_at(p, statements[i].keyword))
			return &statements[i];
	return NULL;
}

bool sl_parse_at_statement(const struct sl_parser *p)
{
	return find_statement(p);
}

static int parse_statement(struct sl_parser *p)
{
	const struct statement *statement = find_statement(p);
	int err;

	if (!statement)
		return sl_parse_expected(
			p,
			"a statement (interface, default, limits, set, rule, extension, forwarder or metrics)");
	p->statement++;
	p->statement_pos = p->token.pos;
	sl_parse_next(p);
	err = statement->parse(p);
	if (err || p->token.kind == SL_TOKEN_NEWLINE ||
	    p->token.kind == SL_TOKEN_END)
		return err;
	return sl_parse_expected(p, "the end of the line");
}

static void skip_statement(struct sl_parser *p)
{
	while (p->token.kind != SL_TOKEN_END &&
	       (p->depth || p->token.kind != SL_TOKEN_NEWLINE))
		sl_parse_next(p);
}

/* Reads statements, each by `one`, and goes on behind those in error. */
static int parse_all(struct sl_parser *p, int (*one)(struct sl_parser *p))
{
	int err;

	sl_parse_next(p);
	while (!sl_parse_stopped(p)) {
		while (p->token.kind == SL_TOKEN_NEWLINE)
			sl_parse_next(p);
		if (p->token.kind == SL_TOKEN_END)
			return 0;
		err = one(p);
		if (err == -ENOMEM)
			return err;
		if (err && !p->resumed)
			skip_statement(p);
		p->resumed = false;
	}
	return 0;
}

/* Says what the bounds on messages kept back. */
static void report_omissions(struct sl_parser *p)
{
	const char *name = p->source->name;
	struct sl_pos nowhere = { 0 };

	if (p->warnings > SL_PARSE_WARNINGS_MAX)
		sl_diags_add(p->diags, true, name, nowhere, NULL, 0,
			     "%u more warnings are not shown",
			     p->warnings - SL_PARSE_WARNINGS_MAX);
	if (sl_parse_stopped(p))
		sl_diags_add(p->diags, true, name, nowhere, NULL, 0,
			     "stopped after %d errors", SL_PARSE_ERRORS_MAX);
}

static void parser_fini(struct sl_parser *p)
{
	sl_symbols_fini(&p->interfaces);
	sl_symbols_fini(&p->sets);
	sl_symbols_fini(&p->rules);
	for (size_t i = 0; i < p->n_references; i++)
		free(p->references[i].name);
	free(p->references);
}

static struct sl_config *new_config(const char *text, size_t length,
				    const char *name)
{
	struct sl_config *config = calloc(1, sizeof(*config));

	if (!config)
		return NULL;
	config->source = calloc(1, sizeof(*config->source));
	if (!config->source)
		goto err_free;
	config->source->name = strdup(name);
	config->source->text = malloc(length + 1);
	if (!config->source->name || !config->source->text)
		goto err_free;
	if (length)
		memcpy(config->source->text, text, length);
	config->source->text[length] = '\0';
	config->source->length = length;
	return config;

err_free:
	sl_config_free(config);
	return NULL;
}

static int begin(struct sl_parser *p, const char *text, size_t length,
		 const char *name)
{
	if (length > SL_PARSE_TEXT_MAX) {
		sl_diags_add(p->diags, false, name, (struct sl_pos){ 0 }, NULL,
			     0, "the text has %zu bytes, at most %u are read",
			     length, SL_PARSE_TEXT_MAX);
		return -EINVAL;
	}
	p->config = new_config(text, length, name);
	if (!p->config)
		return -ENOMEM;
	p->source = p->config->source;
	sl_lexer_init(&p->lexer, p->source->text, length);
	return 0;
}

/* `err` is what the parse came to. */
static int finish(struct sl_parser *p, int err, struct sl_config **config)
{
	report_omissions(p);
	if (err != -ENOMEM && p->errors)
		err = -EINVAL;
	parser_fini(p);
	if (err) {
		sl_config_free(p->config);
		return err;
	}
	*config = p->config;
	return 0;
}

int sl_config_parse(const char *text, size_t length, const char *name,
		    struct sl_diags *diags, struct sl_config **config)
{
	struct sl_parser p = { .diags = diags };
	int err = begin(&p, text, length, name);

	if (err)
		return err;
	err = parse_all(&p, parse_statement);
	if (!err && !sl_parse_stopped(&p))
		err = sl_parse_resolve(&p);
	return finish(&p, err, config);
}

/* What the rules may name. The array of sets is lent until they are parsed. */
static int lend_names(struct sl_parser *p, const struct sl_config *base)
{
	int err = 0;

	p->config->limits = base->limits;
	p->config->sets = base->sets;
	p->config->n_sets = base->n_sets;
	for (size_t i = 0; i < base->n_sets && !err; i++)
		err = sl_symbols_add(&p->sets, base->sets[i]->name, i);
	for (size_t i = 0; i < base->n_interfaces && !err; i++)
		err = sl_symbols_add(&p->interfaces, base->interfaces[i].name,
				     i);
	return err;
}

/* The word `rule` may be left out. */
static int parse_bare_rule(struct sl_parser *p)
{
	sl_parse_accept(p, "rule");
	return sl_parse_rule(p);
}

int sl_config_parse_rules(const char *text, size_t length, const char *name,
			  const struct sl_config *base, struct sl_diags *diags,
			  struct sl_config **rules)
{
	struct sl_parser p = { .diags = diags };
	int err = begin(&p, text, length, name);

	if (err)
		return err;
	if (base)
		err = lend_names(&p, base);
	if (!err)
		err = parse_all(&p, parse_bare_rule);
	if (!err && base && !sl_parse_stopped(&p))
		err = sl_parse_resolve(&p);
	p.config->sets = NULL;
	p.config->n_sets = 0;
	return finish(&p, err, rules);
}

int sl_config_read(const char *path, struct sl_diags *diags,
		   struct sl_config **config)
{
	size_t length = 0;
	char *text = NULL;
	int err = sl_textfile_read(path, SL_PARSE_TEXT_MAX, &text, &length);

	if (err == -ENOMEM)
		return err;
	if (err) {
		sl_diags_add(diags, false, path, (struct sl_pos){ 0 }, NULL, 0,
			     "the configuration cannot be read: %s",
			     strerror(-err));
		return -EINVAL;
	}
	err = sl_config_parse(text, length, path, diags, config);
	free(text);
	return err;
}
