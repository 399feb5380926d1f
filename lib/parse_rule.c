/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include "parse.h"

#include <errno.h>
#include <stdlib.h>

#include "array.h"
#include "keyword.h"
#include "quantity.h"

/* The interface behind `on` and `redirect`, where a part of the rule may
 * follow. */
static int parse_device(struct sl_parser *p, char **device)
{
	const struct sl_token *t = &p->token;

	if (t->kind == SL_TOKEN_WORD && !t->quoted &&
	    sl_keyword_in_rule(t->text, t->length))
		return sl_parse_expected(
			p,
			"an interface (in quotes, if its name is a word of the language)");
	return sl_parse_interface_name(p, device);
}

static int parse_fallback(struct sl_parser *p, struct sl_action_spec *verdict)
{
	static const char *const words[] = { "pass", "drop", NULL };
	unsigned choice = 0;
	int err;

	if (!sl_parse_accept(p, "fallback"))
		return 0;
	err = sl_parse_choice(p, words, "pass or drop", &choice);
	verdict->fallback_drop = choice == 1;
	return err;
}

/* /N, if it stands here. */
static int parse_source_bits(struct sl_parser *p, int most, int *bits)
{
	const struct sl_token *t = &p->token;
	uint64_t n = 0;

	if (t->kind != SL_TOKEN_WORD || t->quoted || t->text[0] != '/')
		return 0;
	if (sl_number_parse(t->text + 1, t->length - 1, &n) || !n ||
	    n > (uint64_t)most)
		return sl_parse_error(p, t->pos,
				      "expected a prefix length from /1 to /%d",
				      most);
	*bits = (int)n;
	sl_parse_next(p);
	return 0;
}

static int parse_limit(struct sl_parser *p, struct sl_action_spec *verdict)
{
	int err = sl_parse_rate(p, &verdict->rate);

	if (!err && sl_parse_accept(p, "burst"))
		err = sl_parse_number(p, "a burst", 1, UINT32_MAX,
				      &verdict->burst);
	if (err || !sl_parse_accept(p, "per"))
		return err;
	if (!sl_parse_accept(p, "source"))
		return sl_parse_expected(p, "source");
	verdict->per_source = true;
	err = parse_source_bits(p, 32, &verdict->source4_bits);
	if (!err)
		err = parse_source_bits(p, 128, &verdict->source6_bits);
	return err;
}

static int parse_verdict(struct sl_parser *p, struct sl_action_spec *verdict)
{
	unsigned choice = 0;
	int err;

	verdict->source4_bits = 32;
	verdict->source6_bits = 128;
	err = sl_parse_choice(
		p, sl_action_words,
		"a verdict (pass, drop, bounce, redirect, forward, route, limit, count or log)",
		&choice);
	if (err)
		return err;
	verdict->action = choice;
	switch (verdict->action) {
	case SL_ACTION_REDIRECT:
		if (!sl_parse_accept(p, "fib"))
			return parse_device(p, &verdict->device);
		verdict->action = SL_ACTION_REDIRECT_FIB;
		return 0;
	case SL_ACTION_FORWARD:
	case SL_ACTION_ROUTE:
		return parse_fallback(p, verdict);
	case SL_ACTION_LIMIT:
		return parse_limit(p, verdict);
	case SL_ACTION_LOG:
		if (!sl_parse_accept(p, "sample"))
			return 0;
		return sl_parse_number(p, "one packet in how many", 1,
				       UINT32_MAX, &verdict->sample);
	default:
		return 0;
	}
}

static int parse_match(struct sl_parser *p, struct sl_rule *rule)
{
	int err;

	rule->src.kind = rule->dst.kind = SL_ADDR_ANY;
	rule->sport.any = rule->dport.any = true;
	if (sl_parse_accept(p, "on")) {
		rule->on_pos = p->token.pos;
		err = parse_device(p, &rule->on);
		if (err)
			return err;
	}
	err = sl_parse_proto(p, rule);
	if (!err && sl_parse_accept(p, "from")) {
		err = sl_parse_addr(p, &rule->src, SL_REF_SRC);
		if (!err && sl_parse_accept(p, "port"))
			err = sl_parse_ports(p, &rule->sport);
	}
	if (!err && sl_parse_accept(p, "to")) {
		err = sl_parse_addr(p, &rule->dst, SL_REF_DST);
		if (!err && sl_parse_accept(p, "port"))
			err = sl_parse_ports(p, &rule->dport);
	}
	return err ? err : sl_parse_options(p, &rule->options);
}

/* The rest of a rule is a part that came too late, or no part of a rule. */
static int check_end(struct sl_parser *p)
{
	if (p->token.kind == SL_TOKEN_NEWLINE || p->token.kind == SL_TOKEN_END)
		return 0;
	if (sl_parse_at(p, "port"))
		return sl_parse_error(
			p, p->token.pos,
			"a port stands behind its address: from ADDR port N, to ADDR port N (ADDR may be any)");
	if (p->token.kind == SL_TOKEN_WORD && !p->token.quoted &&
	    sl_keyword_in_rule(p->token.text, p->token.length))
		return sl_parse_error(
			p, p->token.pos,
			"%.*s cannot stand here: the order is VERDICT, on, protocol, from, to, options",
			(int)p->token.length, p->token.text);
	return sl_parse_expected(
		p, "a further part of the rule or the end of the line");
}

static int define(struct sl_parser *p, struct sl_pos pos, char *name)
{
	struct sl_config *c = p->config;
	struct sl_rule *rule =
		sl_array_room(c->rules, c->n_rules, sizeof(*rule));
	size_t same = sl_symbols_find(&p->rules, name);

	if (!rule) {
		free(name);
		return -ENOMEM;
	}
	c->rules = rule;
	rule += c->n_rules++;
	rule->name = name;
	rule->pos = pos;
	if (same != SL_SYMBOL_NONE)
		return sl_parse_error(
			p, pos, "rule \"%s\" is defined in line %u already",
			name, c->rules[same].pos.line);
	return sl_symbols_add(&p->rules, name, c->n_rules - 1);
}

int sl_parse_rule(struct sl_parser *p)
{
	struct sl_pos pos = p->token.pos;
	struct sl_rule *rule;
	char *name;
	int err = sl_parse_name(p, "a rule name", &name);

	if (!err)
		err = define(p, pos, name);
	if (err)
		return err;
	rule = &p->config->rules[p->config->n_rules - 1];
	rule->verdict_pos = p->token.pos;
	err = parse_verdict(p, &rule->verdict);
	if (!err)
		err = parse_match(p, rule);
	if (!err)
		err = check_end(p);
	return err ? err : sl_parse_check_rule(p, rule);
}
