/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"

static void free_set(struct sl_set *set)
{
	for (size_t i = 0; i < set->n_items; i++)
		free(set->items[i].path);
	free(set->items);
	free(set->prefixes);
	free(set->macs);
	free(set->name);
	free(set);
}

void sl_rule_fini(struct sl_rule *rule)
{
	free(rule->name);
	free(rule->verdict.device);
	free(rule->on);
	free(rule->src.prefixes);
	free(rule->dst.prefixes);
	free(rule->sport.ranges);
	free(rule->dport.ranges);
	free(rule->options.owner);
}

static void fini_forwarder(struct sl_forwarder *f)
{
	for (size_t i = 0; i < f->n_wires; i++) {
		free(f->wires[i].a);
		free(f->wires[i].b);
	}
	for (size_t i = 0; i < f->n_stages; i++) {
		free(f->stages[i].target);
		free(f->stages[i].rule);
	}
	free(f->wires);
	free(f->cpus);
	free(f->stages);
}

bool sl_forwarder_asks(const struct sl_forwarder *forwarder)
{
	for (size_t i = 0; i < forwarder->n_stages; i++)
		if (forwarder->stages[i].rule ||
		    forwarder->stages[i].kind == SL_STAGE_CAPTURE ||
		    forwarder->stages[i].kind == SL_STAGE_USER)
			return true;
	return forwarder->route;
}

static void free_source(struct sl_source *source)
{
	if (!source)
		return;
	free(source->name);
	free(source->text);
	free(source);
}

void sl_config_free(struct sl_config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config->n_interfaces; i++)
		free(config->interfaces[i].name);
	for (size_t i = 0; i < config->n_sets; i++)
		free_set(config->sets[i]);
	for (size_t i = 0; i < config->n_rules; i++)
		sl_rule_fini(&config->rules[i]);
	for (size_t i = 0; i < config->n_extensions; i++)
		free(config->extensions[i].path);
	fini_forwarder(&config->forwarder);
	free(config->metrics.listen);
	free(config->interfaces);
	free(config->sets);
	free(config->rules);
	free(config->extensions);
	free_source(config->source);
	free(config);
}

const struct sl_interface *sl_config_interface(const struct sl_config *config,
					       const char *name)
{
	for (size_t i = 0; i < config->n_interfaces; i++)
		if (!strcmp(config->interfaces[i].name, name))
			return &config->interfaces[i];
	return NULL;
}

unsigned sl_config_live_bit(const struct sl_config *config,
			    const struct sl_set *set)
{
	unsigned bit = 0;

	for (size_t i = 0; i < config->n_sets && config->sets[i] != set; i++)
		bit += config->sets[i]->live;
	return bit;
}

/* GCC 12 loses the array that the word is in, and so calls its copy lost. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Wunknown-warning-option"
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
static int rename_word(char **word, const char *from, const char *to)
{
	char *copy;

	if (!*word || strcmp(*word, from) != 0)
		return 0;
	copy = strdup(to);
	if (!copy)
		return -ENOMEM;
	free(*word);
	*word = copy;
	return 0;
}
#pragma GCC diagnostic pop

int sl_config_rename(struct sl_config *config, struct sl_interface *interface,
		     const char *to)
{
	struct sl_forwarder *f = &config->forwarder;
	char *from = interface->name;
	int err = 0;

	interface->name = strdup(to);
	if (!interface->name) {
		interface->name = from;
		return -ENOMEM;
	}
	for (size_t i = 0; i < config->n_rules && !err; i++) {
		err = rename_word(&config->rules[i].on, from, to);
		if (!err)
			err = rename_word(&config->rules[i].verdict.device,
					  from, to);
	}
	for (size_t i = 0; i < f->n_wires && !err; i++) {
		err = rename_word(&f->wires[i].a, from, to);
		if (!err)
			err = rename_word(&f->wires[i].b, from, to);
	}
	free(from);
	return err;
}
