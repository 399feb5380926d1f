// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* A MAC is looked up like an IPv6 address of which the first 48 bits count. */
#include "compiler.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "segments.h"
#include "trie.h"

#define MAC_BITS 48

static const struct sl_mac_match *match_of(const struct sl_rule *rule,
					   enum sl_field field)
{
	return field == SL_FIELD_MAC_DST ? &rule->options.mac_dst :
					   &rule->options.mac_src;
}

/* The set's MACs as prefixes, at *next, which goes on behind them. */
static const struct sl_prefix *prefixes_of(const struct sl_set *set,
					   struct sl_prefix **next)
{
	const struct sl_prefix *first = *next;

	for (size_t i = 0; i < set->n_macs; i++, (*next)++) {
		**next = (struct sl_prefix){ .family = 6, .length = MAC_BITS };
		memcpy((*next)->addr, set->macs[i].addr,
		       sizeof(set->macs[i].addr));
	}
	return first;
}

static int build(struct sl_compiler *c, enum sl_field field,
		 const struct sl_address_condition *conditions, size_t n,
		 struct sl_classes *classes)
{
	struct sl_segments segments = { 0 };
	int64_t root;
	int err;

	err = sl_segments_build(6, conditions, n, c->base, classes, &segments);
	if (err)
		return err;
	root = sl_trie_build(&segments, &c->tables);
	sl_segments_fini(&segments);
	if (root < 0)
		return (int)root;
	c->out->gen.field[field].classes = (uint32_t)root;
	return 0;
}

int sl_compile_mac(struct sl_compiler *c, enum sl_field field,
		   struct sl_classes *classes)
{
	size_t n_macs = 0, n = 0;
	struct sl_address_condition *conditions;
	struct sl_prefix *prefixes, *next;
	int64_t none = sl_classes_add(classes, c->base);
	int err = -ENOMEM;

	for (size_t i = 0; i < c->out->n_rules; i++)
		if (sl_rule_asks(c->out->rules[i].rule, field))
			n_macs += match_of(c->out->rules[i].rule, field)
					  ->set->n_macs;
	conditions = calloc(c->out->n_rules + 1, sizeof(*conditions));
	next = prefixes = calloc(n_macs + 1, sizeof(*prefixes));
	if (!conditions || !prefixes || none < 0)
		goto out;
	c->out->gen.field[field].none = (uint32_t)none;
	for (size_t i = 0; i < c->out->n_rules; i++) {
		const struct sl_mac_match *match =
			match_of(c->out->rules[i].rule, field);

		if (!sl_rule_asks(c->out->rules[i].rule, field))
			continue;
		conditions[n++] = (struct sl_address_condition){
			.rule = i,
			.prefixes = prefixes_of(match->set, &next),
			.n_prefixes = match->set->n_macs,
			.negated = match->negated,
		};
	}
	err = build(c, field, conditions, n, classes);
out:
	free(conditions);
	free(prefixes);
	return err;
}
