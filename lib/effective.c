/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A part of the language that is parsed but not carried out is refused by
 * name: a filter that ignored a condition would match more than was written.
 * As a part becomes effective, its line here goes. And so are more limiters than
 * a filter has room for, at the first rule too many.
 */
#include <errno.h>

#include "config.h"
#include "keyword.h"
#include "limiter.h"
#include "parse.h"

#define EFFECTIVE_ACTIONS                                    \
	(1u << SL_ACTION_PASS | 1u << SL_ACTION_DROP |       \
	 1u << SL_ACTION_BOUNCE | 1u << SL_ACTION_REDIRECT | \
	 1u << SL_ACTION_FORWARD | 1u << SL_ACTION_COUNT |   \
	 1u << SL_ACTION_LOG | 1u << SL_ACTION_LIMIT)

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

static void check_rule(struct check *c, const struct sl_rule *rule)
{
	if (!(1u << rule->verdict.action & EFFECTIVE_ACTIONS))
		refuse(c, rule->verdict_pos, "rule", rule->name,
		       sl_action_words[rule->verdict.action]);
}

static void refuse_limit(struct check *c, const struct sl_rule *rule,
			 const char *why)
{
	const struct sl_source *s = c->config->source;

	c->refused = true;
	sl_diags_add(c->diags, false, s ? s->name : NULL, rule->verdict_pos,
		     s ? s->text : NULL, s ? s->length : 0, "rule \"%s\": %s",
		     rule->name, why);
}

static void check_limits(struct check *c)
{
	struct sl_limiter_sum sum = { 0 };
	const char *why = NULL;

	for (size_t i = 0; i < c->config->n_rules && !why; i++) {
		const struct sl_rule *rule = &c->config->rules[i];

		if (rule->verdict.action != SL_ACTION_LIMIT)
			continue;
		why = sl_limiter_count(&sum, sl_limiter_lines(&rule->verdict));
		if (why)
			refuse_limit(c, rule, why);
	}
}

static void check_forwarder(struct check *c, const struct sl_forwarder *f)
{
	if (f->route)
		refuse(c, f->route_pos, "forwarder", NULL, "route");
	if (f->poll == SL_POLL_ADAPTIVE)
		refuse(c, f->poll_pos, "forwarder", NULL, "poll adaptive");
	if (f->poll_budget)
		refuse(c, f->budget_pos, "forwarder", NULL, "poll budget");
	if (f->poll_defer)
		refuse(c, f->defer_pos, "forwarder", NULL, "poll defer");
	if (f->poll_timeout_ns)
		refuse(c, f->timeout_pos, "forwarder", NULL, "poll timeout");
	for (size_t i = 0; i < f->n_stages; i++)
		/* What forwards a packet does not tell the stages its rule. */
		if (f->stages[i].rule)
			refuse(c, f->stages[i].rule_pos,
			       sl_stage_words[f->stages[i].kind], NULL, "rule");
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
	if (config->metrics.given)
		refuse(&c, config->metrics.pos, "", NULL, "metrics");
	return c.refused ? -EINVAL : 0;
}
