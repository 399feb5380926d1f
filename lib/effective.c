/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A part of the language that is parsed but not carried out is refused by
 * name: a filter that ignored a condition would match more than was written.
 * As a part becomes effective, its line here goes. And so are more limiters than
 * a filter has room for, at the first rule too many.
 */
#include <errno.h>
#include <string.h>

#include "config.h"
#include "keyword.h"
#include "limiter.h"
#include "listen.h"
#include "parse.h"

struct check {
	const struct sl_config *config;
	struct sl_diags *diags;
	bool refused;
};

/* `kind` "name": WHAT is not effective; without a name, WHAT alone. */
static void refuse(struct check *c, struct sl_pos pos, const char *kind,
		   const char *name, const char *what)
{
	const struct sl_source *s = c->config->source;

	c->refused = true;
	sl_diags_add(c->diags, false, s ? s->name : NULL, pos,
		     s ? s->text : NULL, s ? s->length : 0,
		     "%s%s%s%s%s is not effective in this version; remove it",
		     kind, name ? " \"" : "", name ? name : "",
		     name    ? "\": " :
		     kind[0] ? ": " :
			       "",
		     what);
}

static void check_set(struct check *c, const struct sl_set *set)
{
	if (set->mac && set->live)
		refuse(c, set->live_pos, "set", set->name, "mac live");
}

/* For another reason than that it is not carried out. */
static void refuse_rule(struct check *c, const struct sl_rule *rule,
			const char *why)
{
	const struct sl_source *s = c->config->source;

	c->refused = true;
	sl_diags_add(c->diags, false, s ? s->name : NULL, rule->verdict_pos,
		     s ? s->text : NULL, s ? s->length : 0, "rule \"%s\": %s",
		     rule->name, why);
}

/* The filter tells where a packet goes by metadata (compile.c: has_metadata()). */
static bool is_shared(const struct sl_config *config,
		      const struct sl_rule *rule)
{
	for (size_t i = 0; i < config->n_interfaces; i++)
		if (config->interfaces[i].attach == SL_ATTACH_SHARED &&
		    (!rule->on ||
		     strcmp(rule->on, config->interfaces[i].name) == 0))
			return true;
	return false;
}

static void refuse_stage(struct check *c, const struct sl_stage *stage,
			 const char *why)
{
	const struct sl_source *s = c->config->source;

	c->refused = true;
	sl_diags_add(c->diags, false, s ? s->name : NULL, stage->rule_pos,
		     s ? s->text : NULL, s ? s->length : 0,
		     "%s: rule \"%s\": %s", sl_stage_words[stage->kind],
		     stage->rule, why);
}

/* A stage with `rule` sees packets that the filter has told it of. */
static void check_stage(struct check *c, const struct sl_stage *stage)
{
	for (size_t i = 0; i < c->config->n_rules; i++) {
		const struct sl_rule *rule = &c->config->rules[i];

		if (strcmp(rule->name, stage->rule) != 0)
			continue;
		if (rule->verdict.action != SL_ACTION_FORWARD &&
		    rule->verdict.action != SL_ACTION_ROUTE)
			refuse_stage(c, stage,
				     "no packet of it comes to the forwarder; "
				     "name a rule with forward or route");
		else if (is_shared(c->config, rule))
			refuse_stage(c, stage,
				     "with `attach shared` the forwarder is "
				     "not told the rule of a packet; use "
				     "`attach exclusive`");
	}
}

/* What a rule hands over and what the forwarder does must go together. */
static void check_rule(struct check *c, const struct sl_rule *rule)
{
	const struct sl_forwarder *f = &c->config->forwarder;

	if (rule->verdict.action == SL_ACTION_ROUTE) {
		if (is_shared(c->config, rule))
			refuse_rule(c, rule,
				    "route: not with `attach shared`, where "
				    "the forwarder cannot be told the next "
				    "hop; use `attach exclusive`");
		if (f->n_wires)
			refuse_rule(c, rule,
				    "route: the forwarder has wires and does "
				    "not route; write `forward`, or "
				    "`forwarder { route }`");
	} else if (rule->verdict.action == SL_ACTION_FORWARD && f->route) {
		refuse_rule(c, rule,
			    "forward: `forwarder { route }` sends where the "
			    "kernel's FIB says, which only a `route` rule "
			    "asks; write `route`");
	}
}

static void check_limits(struct check *c)
{
	struct sl_limiter_sum sum = { 0 };
	const char *why;
	const struct sl_rule *rule =
		sl_limiter_count_rules(c->config, &sum, &why);

	if (rule)
		refuse_rule(c, rule, why);
}

static void check_forwarder(struct check *c, const struct sl_forwarder *f)
{
	for (size_t i = 0; i < f->n_stages; i++)
		if (f->stages[i].rule)
			check_stage(c, &f->stages[i]);
}

static void check_listen(struct check *c, const struct sl_metrics *metrics)
{
	const struct sl_source *s = c->config->source;
	struct sl_listen listen;

	if (sl_listen_parse(metrics->listen, &listen) == 0)
		return;
	c->refused = true;
	sl_diags_add(c->diags, false, s ? s->name : NULL, metrics->pos,
		     s ? s->text : NULL, s ? s->length : 0,
		     "metrics: listen: expected " SL_LISTEN_FORMS
		     ", found \"%s\"",
		     metrics->listen);
}

int sl_config_check_effective(const struct sl_config *config,
			      struct sl_diags *diags)
{
	struct check c = { .config = config, .diags = diags };

	for (size_t i = 0; i < config->n_interfaces; i++)
		if (config->interfaces[i].count_source_port)
			refuse(&c, config->interfaces[i].count_pos, "interface",
			       config->interfaces[i].name, "count source-port");
	for (size_t i = 0; i < config->n_sets; i++)
		check_set(&c, config->sets[i]);
	for (size_t i = 0; i < config->n_rules; i++)
		check_rule(&c, &config->rules[i]);
	check_limits(&c);
	check_forwarder(&c, &config->forwarder);
	if (config->metrics.listen)
		check_listen(&c, &config->metrics);
	return c.refused ? -EINVAL : 0;
}
