// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apply.h"
#include "array.h"
#include "audit.h"
#include "clock.h"
#include "config.h"
#include "diag.h"
#include "error.h"
#include "lock.h"
#include "parse.h"
#include "rulelist.h"
#include "running.h"
#include "symbol.h"

/* A change of one running configuration, from the lock to the swap. */
struct change {
	struct sl_lock lock;
	struct sl_runnings runnings;
	const struct sl_running *running; /* the one to change */
	struct sl_config *config;	  /* it, parsed */
	bool *gone; /* of its rules, those to take out; or NULL */
	struct sl_rules_changed *changed;
	struct sl_error *error;
};

static int no_memory(const struct change *c)
{
	return sl_error_set(c->error, -ENOMEM, "out of memory");
}

static int none_runs(const char *interface, struct sl_error *error)
{
	if (interface)
		return sl_error_set(error, -ENOENT,
				    "%s: no configuration runs on it; `sluice "
				    "apply FILE` makes one run",
				    interface);
	return sl_error_set(error, -ENOENT,
			    "no configuration runs in this network namespace; "
			    "`sluice apply FILE` makes one run");
}

static int which_one(const struct sl_runnings *runnings, struct sl_error *error)
{
	return sl_error_set(error, -EINVAL,
			    "%zu configurations run, on %s, %s%s; say which by "
			    "-i IFACE",
			    runnings->n_items,
			    runnings->items[0].filters[0].interface,
			    runnings->items[1].filters[0].interface,
			    runnings->n_items > 2 ? ", ..." : "");
}

/* The one on `interface`, or the only one (NULL). */
static int choose(const struct sl_runnings *runnings, const char *interface,
		  const struct sl_running **chosen, struct sl_error *error)
{
	if (!runnings->n_items)
		return none_runs(interface, error);
	if (!interface && runnings->n_items > 1)
		return which_one(runnings, error);
	for (size_t i = 0; i < runnings->n_items; i++)
		if (!interface ||
		    sl_running_on(&runnings->items[i], interface)) {
			*chosen = &runnings->items[i];
			return 0;
		}
	return none_runs(interface, error);
}

/* The configuration of the interfaces that all of the rules are `on`. */
static int choose_by_rules(struct change *c, const struct sl_rules_input *input,
			   struct sl_diags *diags)
{
	struct sl_diags found = { 0 };
	struct sl_config *rules;
	int err = sl_config_parse_rules(input->text, input->length, input->name,
					NULL, &found, &rules);

	/* Warnings come again when the rules are read for the one chosen. */
	if (err)
		*diags = found;
	else
		sl_diags_fini(&found);
	if (err == -ENOMEM)
		return no_memory(c);
	if (err)
		return err;
	if (!rules->n_rules || !rules->rules[0].on)
		err = which_one(&c->runnings, c->error);
	else
		err = choose(&c->runnings, rules->rules[0].on, &c->running,
			     c->error);
	for (size_t i = 1; i < rules->n_rules && !err; i++)
		if (!rules->rules[i].on ||
		    !sl_running_on(c->running, rules->rules[i].on))
			err = which_one(&c->runnings, c->error);
	sl_config_free(rules);
	return err;
}

static int keep_name(struct sl_rules_changed *changed, const char *name)
{
	char(*names)[SL_NAME_BYTES] = sl_array_room(
		changed->expired, changed->n_expired, sizeof(*names));

	if (!names)
		return -ENOMEM;
	changed->expired = names;
	strncpy(names[changed->n_expired++], name, SL_NAME_BYTES - 1);
	return 0;
}

static int drop_expired(struct change *c)
{
	uint64_t now_ns = sl_clock_ns();

	for (size_t i = 0; i < c->config->n_rules; i++) {
		const struct sl_rule *rule = &c->config->rules[i];

		if (c->gone[i] || !sl_rule_is_live(rule) ||
		    !sl_rule_is_expired(rule, now_ns) ||
		    sl_rule_is_staged(c->config, rule->name))
			continue;
		c->gone[i] = true;
		if (keep_name(c->changed, rule->name))
			return no_memory(c);
	}
	return 0;
}

static int read_config(struct change *c)
{
	int err = sl_running_parse(c->running, &c->config, c->error);

	if (err)
		return err;
	c->gone = calloc(c->config->n_rules + 1, sizeof(*c->gone));
	return c->gone ? 0 : no_memory(c);
}

/*
 * A rule that was added under the name of one that has just expired, and is
 * still loaded, begins anew; other names must be free.
 */
static int check_name(const struct change *c, const struct sl_symbols *by_name,
		      struct sl_rule *rule)
{
	size_t index = sl_symbols_find(by_name, rule->name);

	rule->fresh = true;
	if (!sl_rule_is_live(rule))
		return sl_error_set(c->error, -EINVAL,
				    "rule \"%s\": the rules of owner \"%s\" "
				    "are the file's; edit it and apply",
				    rule->name, SL_OWNER_CONFIG);
	if (index == SL_SYMBOL_NONE || c->gone[index])
		return 0;
	return sl_error_set(c->error, -EINVAL,
			    "rule \"%s\": a rule of that name and of owner "
			    "\"%s\" runs on %s; choose another name",
			    rule->name, sl_rule_owner(&c->config->rules[index]),
			    c->running->filters[0].interface);
}

static int check_added(const struct change *c, struct sl_config *rules)
{
	size_t most = sl_rulelist_most(c->config);
	struct sl_symbols by_name = { 0 };
	int err = sl_rulelist_index(c->config, &by_name) ? no_memory(c) : 0;

	if (!rules->n_rules)
		err = sl_error_set(c->error, -EINVAL,
				   "there is no rule to add");
	for (size_t i = 0; i < rules->n_rules && !err; i++) {
		if (sl_rule_own(&rules->rules[i], SL_OWNER_LIVE))
			err = no_memory(c);
		else
			err = check_name(c, &by_name, &rules->rules[i]);
	}
	sl_symbols_fini(&by_name);
	if (!err &&
	    c->config->n_rules - c->changed->n_expired + rules->n_rules > most)
		err = sl_error_set(c->error, -EINVAL,
				   "%s runs %zu rules, %zu more are over its "
				   "limit of %zu; raise `limits { rules }` in "
				   "the file and apply it",
				   c->running->filters[0].interface,
				   c->config->n_rules, rules->n_rules, most);
	return err;
}

static int add_rules(struct change *c, const struct sl_rules_input *input,
		     struct sl_diags *diags)
{
	struct sl_config *rules;
	int err = sl_config_parse_rules(input->text, input->length, input->name,
					c->config, diags, &rules);

	if (!err) {
		err = sl_config_check_effective(rules, diags);
		if (err)
			sl_config_free(rules);
	}
	if (err)
		return err == -ENOMEM ? no_memory(c) : err;
	err = check_added(c, rules);
	if (!err) {
		c->changed->n_rules = rules->n_rules;
		sl_rulelist_remove(c->config, c->gone);
		err = sl_rulelist_insert(c->config, rules->rules,
					 rules->n_rules) ?
			      no_memory(c) :
			      0;
	}
	sl_config_free(rules);
	return err;
}

static int delete_rule(struct change *c, const struct sl_symbols *by_name,
		       const char *name)
{
	const char *on = c->running->filters[0].interface;
	size_t index = sl_symbols_find(by_name, name);

	if (index == SL_SYMBOL_NONE)
		return sl_error_set(c->error, -EINVAL,
				    "rule \"%s\": %s runs no rule of that "
				    "name; `sluice rule list` tells which",
				    name, on);
	if (!sl_rule_is_live(&c->config->rules[index]))
		return sl_error_set(c->error, -EINVAL,
				    "rule \"%s\": it is the file's (owner "
				    "\"%s\"); edit the file and apply it",
				    name, SL_OWNER_CONFIG);
	if (sl_rule_is_staged(c->config, name))
		return sl_error_set(c->error, -EINVAL,
				    "rule \"%s\": a stage of the forwarder "
				    "names it; edit the file and apply it",
				    name);
	c->changed->n_rules += !c->gone[index];
	c->gone[index] = true;
	return 0;
}

static int delete_rules(struct change *c, char *const *names, size_t n_names)
{
	struct sl_symbols by_name = { 0 };
	int err = sl_rulelist_index(c->config, &by_name) ? no_memory(c) : 0;

	for (size_t i = 0; i < n_names && !err; i++)
		err = delete_rule(c, &by_name, names[i]);
	sl_symbols_fini(&by_name);
	if (!err)
		err = drop_expired(c);
	if (!err)
		sl_rulelist_remove(c->config, c->gone);
	return err;
}

/* sl_running_parse() did not find which of the text's interfaces it was. */
static int refuse_nameless(const struct change *c)
{
	const char *name = "an interface";

	for (size_t i = 0; i < c->running->n_filters; i++)
		if (!sl_running_names(c->config, &c->running->filters[i]))
			name = c->running->filters[i].interface;
	return sl_error_set(c->error, -ENODEV,
			    "%s: the configuration that runs on it does not "
			    "name it: it was renamed, and another has its old "
			    "name; apply a file that has its new name, or "
			    "`sluice down %s` first",
			    name, name);
}

/* Swaps the interfaces that run the configuration, not all that it names. */
static int swap(struct change *c)
{
	size_t n = c->config->n_interfaces;
	bool *skip = calloc(n + 1, sizeof(*skip));
	int err;

	c->changed->applied = calloc(n + 1, sizeof(*c->changed->applied));
	if (!skip || !c->changed->applied) {
		free(skip);
		return no_memory(c);
	}
	for (size_t i = 0; i < n; i++) {
		skip[i] = !sl_running_on(c->running,
					 c->config->interfaces[i].name);
		c->changed->n_applied += !skip[i];
	}
	if (c->changed->n_applied != c->running->n_filters)
		err = refuse_nameless(c);
	else
		err = sl_apply_rules(c->config, skip, NULL, c->changed->applied,
				     c->error);
	free(skip);
	return err;
}

static int change_open(struct change *c, struct sl_rules_changed *changed,
		       struct sl_error *error)
{
	int err;

	*changed = (struct sl_rules_changed){ 0 };
	*c = (struct change){ .changed = changed, .error = error };
	err = sl_lock_take(&c->lock, error);
	if (err)
		return err;
	err = sl_runnings_open(&c->runnings, error);
	if (err)
		sl_lock_release(&c->lock);
	return err;
}

static int change_close(struct change *c, int err, const char *action)
{
	if (err)
		sl_rules_changed_fini(c->changed);
	else
		sl_audit_applied(action, c->changed->applied,
				 c->changed->n_applied);
	sl_config_free(c->config);
	free(c->gone);
	sl_runnings_close(&c->runnings);
	sl_lock_release(&c->lock);
	return err;
}

int sl_rules_add(const struct sl_rules_input *input, struct sl_diags *diags,
		 struct sl_rules_changed *changed, struct sl_error *error)
{
	struct change c;
	int err = change_open(&c, changed, error);

	if (err)
		return err;
	if (!input->interface && c.runnings.n_items > 1)
		err = choose_by_rules(&c, input, diags);
	else
		err = choose(&c.runnings, input->interface, &c.running, error);
	if (!err)
		err = read_config(&c);
	if (!err)
		err = drop_expired(&c);
	if (!err)
		err = add_rules(&c, input, diags);
	if (!err)
		err = swap(&c);
	return change_close(&c, err, "rule add");
}

int sl_rules_del(const char *interface, char *const *names, size_t n_names,
		 struct sl_rules_changed *changed, struct sl_error *error)
{
	struct change c;
	int err = change_open(&c, changed, error);

	if (err)
		return err;
	err = choose(&c.runnings, interface, &c.running, error);
	if (!err)
		err = read_config(&c);
	if (!err)
		err = delete_rules(&c, names, n_names);
	if (!err)
		err = swap(&c);
	return change_close(&c, err, "rule del");
}

void sl_rules_changed_fini(struct sl_rules_changed *changed)
{
	free(changed->expired);
	free(changed->applied);
	*changed = (struct sl_rules_changed){ 0 };
}
