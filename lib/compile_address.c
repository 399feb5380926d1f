// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "compiler.h"

#include <errno.h>
#include <stdlib.h>

#include "array4.h"
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

static int put_family(struct sl_compiler *c, int family,
		      const struct sl_address_condition *conditions, size_t n,
		      struct sl_classes *classes, struct sl_gen_field *f)
{
	struct sl_segments segments = { 0 };
	struct sl_array4 array = { 0 };
	int64_t root = 0;
	int err;

	err = sl_segments_build(family, conditions, n, c->base, classes,
				&segments);
	if (err)
		return err;
	if (family == 4)
		err = sl_array4_build(&segments, &c->tables, &array);
	else
		root = sl_trie_build(&segments, &c->tables);
	sl_segments_fini(&segments);
	if (err || root < 0)
		return err ? err : (int)root;
	if (family == 4) {
		f->classes = array.root;
		f->nodes4 = array.nodes;
		f->mask4 = array.mask;
		f->class_bits4 = array.class_bits;
		f->bits4 = array.bits;
		f->deeper4 = array.deeper;
		f->steps4 = array.steps;
	} else {
		f->classes6 = (uint32_t)root;
	}
	return 0;
}

static int put_families(struct sl_compiler *c, enum sl_field field,
			const struct sl_address_condition *conditions, size_t n,
			struct sl_classes *classes)
{
	struct sl_gen_field *f = &c->out->gen.field[field];
	int64_t none = sl_classes_add(classes, c->base);
	int err;

	if (none < 0)
		return (int)none;
	f->none = (uint32_t)none;
	err = put_family(c, 4, conditions, n, classes, f);
	return err ? err : put_family(c, 6, conditions, n, classes, f);
}

int sl_compile_address(struct sl_compiler *c, enum sl_field field,
		       struct sl_classes *classes)
{
	struct sl_address_condition *conditions;
	size_t n = 0;
	int err;

	conditions = calloc(c->out->n_rules + 1, sizeof(*conditions));
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
