// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "rulelist.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"
#include "print.h"
#include "sluice/abi.h"

const char *sl_rule_owner(const struct sl_rule *rule)
{
	return rule->options.owner ? rule->options.owner : SL_OWNER_CONFIG;
}

int sl_rule_own(struct sl_rule *rule, const char *owner)
{
	if (rule->options.owner)
		return 0;
	rule->options.owner = strdup(owner);
	if (!rule->options.owner)
		return -ENOMEM;
	rule->options.written |= SL_OPT_OWNER;
	return 0;
}

bool sl_rule_is_live(const struct sl_rule *rule)
{
	return strcmp(sl_rule_owner(rule), SL_OWNER_CONFIG) != 0;
}

bool sl_rule_is_expired(const struct sl_rule *rule, uint64_t now_ns)
{
	return rule->options.expires_ns && rule->deadline_ns &&
	       now_ns >= rule->deadline_ns;
}

char *sl_rule_text(const struct sl_rule *rule)
{
	size_t bytes;
	char *text = NULL;
	FILE *out = open_memstream(&text, &bytes);

	if (!out)
		return NULL;
	sl_print_rule(out, rule);
	if (fclose(out) == 0) {
		text[strcspn(text, "\n")] = '\0';
		return text;
	}
	free(text);
	return NULL;
}

bool sl_rule_is_staged(const struct sl_config *config, const char *name)
{
	const struct sl_forwarder *f = &config->forwarder;

	for (size_t i = 0; i < f->n_stages; i++)
		if (f->stages[i].rule && strcmp(f->stages[i].rule, name) == 0)
			return true;
	return false;
}

size_t sl_rulelist_most(const struct sl_config *config)
{
	return config->limits.rules ? config->limits.rules : SL_RULES_DEFAULT;
}

int sl_rulelist_index(const struct sl_config *config,
		      struct sl_symbols *by_name)
{
	int err = 0;

	for (size_t i = 0; i < config->n_rules && !err; i++)
		err = sl_symbols_add(by_name, config->rules[i].name, i);
	return err;
}

struct numbered {
	const struct sl_rule *rule;
	size_t number;
};

static int compare_bands(const void *a, const void *b)
{
	const struct numbered *x = a, *y = b;
	uint32_t p = x->rule->options.band, q = y->rule->options.band;

	if (p != q)
		return p < q ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

int sl_rulelist_insert(struct sl_config *config, struct sl_rule *rules,
		       size_t n)
{
	size_t all = config->n_rules + n;
	struct numbered *order = calloc(all + 1, sizeof(*order));
	struct sl_rule *merged = calloc(all + 1, sizeof(*merged));

	if (!order || !merged) {
		free(order);
		free(merged);
		return -ENOMEM;
	}
	for (size_t i = 0; i < all; i++)
		order[i] =
			(struct numbered){ i < config->n_rules ?
						   &config->rules[i] :
						   &rules[i - config->n_rules],
					   i };
	qsort(order, all, sizeof(*order), compare_bands);
	for (size_t i = 0; i < all; i++)
		merged[i] = *order[i].rule;
	free(order);
	free(config->rules);
	if (n)
		memset(rules, 0, n * sizeof(*rules));
	config->rules = merged;
	config->n_rules = all;
	return 0;
}

void sl_rulelist_remove(struct sl_config *config, const bool *gone)
{
	size_t kept = 0;

	for (size_t i = 0; i < config->n_rules; i++) {
		if (gone[i])
			sl_rule_fini(&config->rules[i]);
		else
			config->rules[kept++] = config->rules[i];
	}
	config->n_rules = kept;
}

void sl_rulelist_start(struct sl_config *config, uint64_t now_ns)
{
	for (size_t i = 0; i < config->n_rules; i++) {
		struct sl_rule *rule = &config->rules[i];

		if (rule->options.expires_ns && !rule->deadline_ns)
			rule->deadline_ns = now_ns + rule->options.expires_ns;
	}
}
