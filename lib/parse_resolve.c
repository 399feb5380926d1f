/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include "parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/abi.h"
#include "sluice/live.h"

static void resolve_reference(struct sl_parser *p, const struct sl_reference *r)
{
	struct sl_config *c = p->config;
	struct sl_rule *rule = &c->rules[r->rule];
	bool mac = r->field == SL_REF_MAC_SRC || r->field == SL_REF_MAC_DST;
	size_t index = sl_symbols_find(&p->sets, r->name);
	const struct sl_set *set;

	if (index == SL_SYMBOL_NONE) {
		sl_parse_error(
			p, r->pos,
			"rule \"%s\": there is no set \"%s\": define it with set %s { ... }",
			rule->name, r->name, r->name);
		return;
	}
	set = c->sets[index];
	if (set->mac != mac) {
		sl_parse_error(
			p, r->pos,
			"rule \"%s\": set \"%s\" holds %s addresses, here stands one of %s addresses",
			rule->name, r->name, set->mac ? "MAC" : "IP",
			mac ? "MAC" : "IP");
		return;
	}
	if (r->field == SL_REF_SRC)
		rule->src.set = set;
	else if (r->field == SL_REF_DST)
		rule->dst.set = set;
	else if (r->field == SL_REF_MAC_SRC)
		rule->options.mac_src.set = set;
	else
		rule->options.mac_dst.set = set;
}

static void check_interfaces(struct sl_parser *p)
{
	const struct sl_config *c = p->config;

	for (size_t i = 0; i < c->n_rules; i++) {
		const struct sl_rule *rule = &c->rules[i];

		if (rule->on &&
		    sl_symbols_find(&p->interfaces, rule->on) == SL_SYMBOL_NONE)
			sl_parse_error(
				p, rule->on_pos,
				"rule \"%s\": interface \"%s\" has no interface statement",
				rule->name, rule->on);
	}
}

static int compare_rules(const void *a, const void *b)
{
	const struct sl_rule *x = a, *y = b;

	if (x->options.band != y->options.band)
		return x->options.band < y->options.band ? -1 : 1;
	if (x->pos.line !=
	    y->pos.line) /* one rule a line, so this is position */
		return x->pos.line < y->pos.line ? -1 : 1;
	return 0;
}

static void check_rules(struct sl_parser *p)
{
	const struct sl_config *c = p->config;
	size_t most = c->limits.rules ? c->limits.rules : SL_RULES_DEFAULT;

	if (c->n_rules > most)
		sl_parse_error(
			p, c->rules[most].pos,
			"%zu rules, and the limit is %zu: the first too many is \"%s\"; put addresses and ports that share a verdict into one rule, or raise `limits { rules }` (up to %d)",
			c->n_rules, most, c->rules[most].name, SL_RULES_MAX);
}

static void check_live_sets(struct sl_parser *p)
{
	const struct sl_config *c = p->config;
	size_t n_live = 0;

	for (size_t i = 0; i < c->n_sets; i++)
		if (c->sets[i]->live && ++n_live == SL_LIVE_SETS_MAX + 1)
			sl_parse_error(p, c->sets[i]->live_pos,
				       "set \"%s\": more than %d live sets",
				       c->sets[i]->name, SL_LIVE_SETS_MAX);
}

/* Each end of a wire is declared and stands in no other wire. */
static int check_wire_end(struct sl_parser *p, struct sl_symbols *ends,
			  const char *name, size_t index)
{
	const struct sl_wire *wires = p->config->forwarder.wires;
	size_t other = sl_symbols_find(ends, name);

	if (sl_symbols_find(&p->interfaces, name) == SL_SYMBOL_NONE)
		return sl_parse_error(
			p, wires[index].pos,
			"wire: interface \"%s\" has no interface statement",
			name);
	if (other != SL_SYMBOL_NONE && other != index)
		return sl_parse_error(
			p, wires[index].pos,
			"wire: interface \"%s\" is an end of the wire in line %u already",
			name, wires[other].pos.line);
	return other == index ? 0 : sl_symbols_add(ends, name, index);
}

static int check_wires(struct sl_parser *p)
{
	const struct sl_forwarder *f = &p->config->forwarder;
	struct sl_symbols ends = { 0 };
	int err = 0;

	for (size_t i = 0; i < f->n_wires && err != -ENOMEM; i++) {
		if (!f->wires[i].a || !f->wires[i].b ||
		    !strcmp(f->wires[i].a, f->wires[i].b))
			continue; /* reported where it was read */
		err = check_wire_end(p, &ends, f->wires[i].a, i);
		if (err != -ENOMEM)
			err = check_wire_end(p, &ends, f->wires[i].b, i);
	}
	sl_symbols_fini(&ends);
	return err == -ENOMEM ? err : 0;
}

static void check_stages(struct sl_parser *p)
{
	const struct sl_forwarder *f = &p->config->forwarder;

	for (size_t i = 0; i < f->n_stages; i++) {
		const struct sl_stage *stage = &f->stages[i];

		if (stage->rule &&
		    sl_symbols_find(&p->rules, stage->rule) == SL_SYMBOL_NONE)
			sl_parse_error(p, stage->pos, "there is no rule \"%s\"",
				       stage->rule);
	}
}

int sl_parse_resolve(struct sl_parser *p)
{
	struct sl_config *c = p->config;
	int err;

	for (size_t i = 0; i < p->n_references; i++)
		resolve_reference(p, &p->references[i]);
	check_interfaces(p);
	check_rules(p);
	check_live_sets(p);
	check_stages(p);
	err = check_wires(p);
	if (err || p->errors)
		return err;
	for (size_t i = 0; i < c->n_rules; i++)
		sl_parse_check_families(p, &c->rules[i]);
	if (c->n_rules)
		qsort(c->rules, c->n_rules, sizeof(*c->rules), compare_rules);
	return 0;
}
