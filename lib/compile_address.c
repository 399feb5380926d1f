// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "compiler.h"

#include <errno.h>
#include <stdlib.h>

#include "config.h"
#include "segments.h"
#include "trie.h"

static struct sl_address_condition
condition_of(const struct sl_rule *rule, size_t position, enum sl_field field)
{
	const struct sl_addr *a = field == SL_FIELD_DST ? &rule->dst :
							  &rule->src;

	return (struct sl_address_condition){
		.rule = position,
		.prefixes = a->kind == SL_ADDR_SET ? a->set->prefixes :
						     a->prefixes,
		.n_prefixes = a->kind == SL_ADDR_SET ? a->set->n_prefixes :
						       a->n_prefixes,
		.negated = a->negated,
	};
}

/* The offset of what looks up a family, or -errno. */
static int64_t put_family(struct sl_compiler *c, int family,
			  const struct sl_address_condition *conditions,
			  size_t n, struct sl_classes *classes)
{
	struct sl_segments segments = { 0 };
	int64_t root;
	int err;

	err = sl_segments_build(family, conditions, n, c->base, classes,
				&segments);
	if (err)
		return err;
	root = family == 4 ? sl_trie4_build(&segments, &c->tables) :
			     sl_trie_build(&segments, &c->tables);
	sl_segments_fini(&segments);
	return root;
}

static int put_families(struct sl_compiler *c, enum sl_field field,
			const struct sl_address_condition *conditions, size_t n,
			struct sl_classes *classes)
{
	struct sl_gen_field *f = &c->out->gen.field[field];
	int64_t none = sl_classes_add(classes, c->base);
	int64_t root;

	if (none < 0)
		return (int)none;
	f->none = (uint32_t)none;
	root = put_family(c, 4, conditions, n, classes);
	if (root < 0)
		return (int)root;
	f->classes = (uint32_t)root;
	root = put_family(c, 6, conditions, n, classes);
	if (root < 0)
		return (int)root;
	f->classes6 = (uint32_t)root;
	return 0;
}

int sl_compile_address(struct sl_compiler *c, enum sl_field field,
		       struct sl_classes *classes)
{
	struct sl_address_condition *conditions;
	size_t n = 0;
	int err;

	conditions = calloc(c->out->n_rules, sizeof(*conditions));
	if (!conditions)
		return -ENOMEM;
	for (size_t i = 0; i < c->out->n_rules; i++)
		if (sl_rule_asks(c->out->rules[i].rule, field))
			conditions[n++] =
				condition_of(c->out->rules[i].rule, i, field);
	err = put_families(c, field, conditions, n, classes);
	free(conditions);
	return err;
}
