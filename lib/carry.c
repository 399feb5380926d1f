// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "carry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "clock.h"
#include "config.h"
#include "error.h"
#include "parse.h"
#include "rulelist.h"
#include "running.h"
#include "symbol.h"

struct carry {
	struct sl_config *config;      /* of the file */
	struct sl_symbols rules, sets; /* its */
	struct sl_rule *live;	       /* what it is to have besides */
	size_t n_live;
	struct sl_symbols live_by_name;
	const struct sl_running *running; /* where they come from */
	uint64_t now_ns;
	struct sl_error *error;
};

static int no_memory(const struct carry *c)
{
	return sl_error_set(c->error, -ENOMEM, "out of memory");
}

/* How every message here begins and ends. */
static int refuse(const struct carry *c, const struct sl_rule *live,
		  const char *what, const char *name, const char *remedy)
{
	const char *on = c->running->filters[0].interface;

	return sl_error_set(c->error, -EINVAL,
			    "%s: rule \"%s\" of owner \"%s\" runs on %s %s "
			    "\"%s\"; %s, or `sluice rule del -i %s %s` first",
			    c->config->source->name, live->name,
			    sl_rule_owner(live), on, what, name, remedy, on,
			    live->name);
}

static int refuse_name(const struct carry *c, const struct sl_rule *live,
		       const struct sl_rule *own)
{
	const char *on = c->running->filters[0].interface;

	return sl_error_set(c->error, -EINVAL,
			    "%s:%u:%u: rule \"%s\": a rule of that name and of "
			    "owner \"%s\" runs on %s; rename this one, or "
			    "`sluice rule del -i %s %s` first",
			    c->config->source->name, own->pos.line,
			    own->pos.column, own->name, sl_rule_owner(live), on,
			    on, live->name);
}

/* A set that the rule names, found again in the configuration. */
static int rebind(const struct carry *c, const struct sl_rule *live,
		  const struct sl_set **set)
{
	size_t index = sl_symbols_find(&c->sets, (*set)->name);

	if (index == SL_SYMBOL_NONE)
		return refuse(c, live,
			      "and names a set that the file does not define:",
			      (*set)->name, "define it there");
	if (c->config->sets[index]->mac != (*set)->mac)
		return refuse(
			c, live,
			"and names a set that in the file holds addresses "
			"of another kind:",
			(*set)->name, "rename it there");
	*set = c->config->sets[index];
	return 0;
}

static int rebind_all(const struct carry *c, struct sl_rule *live)
{
	uint32_t written = live->options.written;
	int err = 0;

	if (live->on && !sl_config_interface(c->config, live->on))
		err = refuse(c, live,
			     "and is on an interface that the file does not "
			     "have:",
			     live->on, "add an interface statement there");
	if (!err && live->src.kind == SL_ADDR_SET)
		err = rebind(c, live, &live->src.set);
	if (!err && live->dst.kind == SL_ADDR_SET)
		err = rebind(c, live, &live->dst.set);
	if (!err && written & SL_OPT_MAC_SRC)
		err = rebind(c, live, &live->options.mac_src.set);
	if (!err && written & SL_OPT_MAC_DST)
		err = rebind(c, live, &live->options.mac_dst.set);
	return err;
}

/* Two configurations become one, and both have a live rule of that name. */
static int merge(const struct carry *c, struct sl_rule *taken,
		 const struct sl_rule *live)
{
	char *a = sl_rule_text(taken), *b = sl_rule_text(live);
	int err = 0;

	if (!a || !b)
		err = no_memory(c);
	else if (strcmp(a, b) != 0)
		err = refuse(c, live, "and another one on another interface:",
			     live->name, "apply them apart");
	else if (taken->deadline_ns < live->deadline_ns)
		taken->deadline_ns = live->deadline_ns;
	free(a);
	free(b);
	return err;
}

static int take(struct carry *c, struct sl_rule *live)
{
	size_t index = sl_symbols_find(&c->live_by_name, live->name);
	struct sl_rule *rules;
	int err;

	if (index != SL_SYMBOL_NONE)
		return merge(c, &c->live[index], live);
	err = rebind_all(c, live);
	if (err)
		return err;
	rules = sl_array_room(c->live, c->n_live, sizeof(*rules));
	if (!rules)
		return no_memory(c);
	c->live = rules;
	rules[c->n_live] = *live;
	memset(live, 0, sizeof(*live));
	err = sl_symbols_add(&c->live_by_name, rules[c->n_live].name,
			     c->n_live);
	c->n_live++;
	return err ? no_memory(c) : 0;
}

static int carry_rule(struct carry *c, struct sl_rule *ran)
{
	size_t index = sl_symbols_find(&c->rules, ran->name);
	struct sl_rule *own =
		index == SL_SYMBOL_NONE ? NULL : &c->config->rules[index];
	bool stays = sl_rule_is_live(ran) &&
		     !sl_rule_is_expired(ran, c->now_ns);

	if (own && strcmp(sl_rule_owner(own), sl_rule_owner(ran)) == 0) {
		/* Another lifetime than what ran begins with this apply. */
		if (own->options.expires_ns == ran->options.expires_ns &&
		    own->deadline_ns < ran->deadline_ns)
			own->deadline_ns = ran->deadline_ns;
		return 0;
	}
	if (own && stays)
		return refuse_name(c, ran, own);
	if (own)
		own->fresh = true; /* another's namesake, which goes */
	return stays ? take(c, ran) : 0;
}

static int carry_running(struct carry *c, const struct sl_running *running)
{
	struct sl_config *ran;
	int err = sl_running_parse(running, &ran, c->error);

	if (err)
		return err;
	c->running = running;
	for (size_t i = 0; i < ran->n_rules && !err; i++)
		err = carry_rule(c, &ran->rules[i]);
	sl_config_free(ran);
	return err;
}

/* On any interface of the configuration. */
static bool concerns(const struct sl_running *running,
		     const struct sl_config *config)
{
	for (size_t i = 0; i < config->n_interfaces; i++)
		if (sl_running_on(running, config->interfaces[i].name))
			return true;
	return false;
}

static int index_names(struct carry *c)
{
	int err = sl_rulelist_index(c->config, &c->rules);

	for (size_t i = 0; i < c->config->n_sets && !err; i++)
		err = sl_symbols_add(&c->sets, c->config->sets[i]->name, i);
	return err ? no_memory(c) : 0;
}

static int add_live(struct carry *c)
{
	size_t most = sl_rulelist_most(c->config);

	if (!c->n_live)
		return 0;
	if (c->config->n_rules + c->n_live > most)
		return sl_error_set(c->error, -EINVAL,
				    "%s: %zu rules and %zu live ones that run, "
				    "and the limit is %zu; raise `limits { "
				    "rules }`, or `sluice rule del` some first",
				    c->config->source->name, c->config->n_rules,
				    c->n_live, most);
	return sl_rulelist_insert(c->config, c->live, c->n_live) ?
		       no_memory(c) :
		       0;
}

int sl_carry(struct sl_config *config, struct sl_error *error)
{
	struct carry c = { .config = config,
			   .now_ns = sl_clock_ns(),
			   .error = error };
	struct sl_runnings runnings;
	int err = sl_runnings_open(&runnings, error);

	if (err)
		return err;
	err = index_names(&c);
	for (size_t i = 0; i < runnings.n_items && !err; i++)
		if (concerns(&runnings.items[i], config))
			err = carry_running(&c, &runnings.items[i]);
	if (!err)
		err = add_live(&c);
	for (size_t i = 0; i < c.n_live; i++)
		sl_rule_fini(&c.live[i]);
	free(c.live);
	sl_symbols_fini(&c.live_by_name);
	sl_symbols_fini(&c.rules);
	sl_symbols_fini(&c.sets);
	sl_runnings_close(&runnings);
	return err;
}
