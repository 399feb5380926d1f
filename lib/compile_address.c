// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "compiler.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "classes.h"
#include "config.h"
#include "segments.h"
#include "tables.h"
#include "trie.h"
static struct sl_address_condition condition_of(const struct sl_rule *rule,
						size_t position, int side)
{
	const struct sl_addr *a = side ? &rule->dst : &rule->src;

	return (struct sl_address_condition){
		.rule = position,
		.prefixes = a->kind == SL_ADDR_SET ? a->set->prefixes :
						     a->prefixes,
		.n_prefixes = a->kind == SL_ADDR_SET ? a->set->n_prefixes :
						       a->n_prefixes,
		.negated = a->negated,
	};
}

/* The offset of the root, or -errno. */
static int put_trie(struct sl_compiler *c, int family,
		    const struct sl_address_condition *conditions, size_t n,
		    struct sl_classes *classes)
{
	struct sl_segments segments = { 0 };
	int64_t root;
	int err;

	err = sl_segments_build(family, conditions, n, c->base, classes,
				&segments);
	if (err)
		return err;
	root = sl_trie_build(&segments, &c->tables);
	sl_segments_fini(&segments);
	return (int)root; /* an offset is below SL_TABLES_BYTES_MAX */
}

static int compile_side(struct sl_compiler *c, int side,
			struct sl_address_condition *conditions,
			struct sl_classes *classes)
{
	enum sl_dim dim = side ? SL_DIM_DST : SL_DIM_SRC;
	int64_t none;
	size_t n = 0;
	int root;

	for (size_t i = 0; i < c->out->n_rules; i++)
		if (sl_rule_asks(c->out->rules[i].rule, dim))
			conditions[n++] =
				condition_of(c->out->rules[i].rule, i, side);
	none = sl_classes_add(classes, c->base);
	if (none < 0)
		return (int)none;
	c->out->gen.class_no_address[side] = (uint32_t)none;
	root = put_trie(c, 4, conditions, n, classes);
	if (root < 0)
		return root;
	c->out->gen.trie4[side] = (uint32_t)root;
	root = put_trie(c, 6, conditions, n, classes);
	if (root < 0)
		return root;
	c->out->gen.trie6[side] = (uint32_t)root;
	return sl_compiler_put_vectors(c, dim, classes);
}

int sl_compile_addresses(struct sl_compiler *c, int side)
{
	struct sl_address_condition *conditions;
	struct sl_classes classes;
	int err;

	if (!sl_compiler_base(c, side ? SL_DIM_DST : SL_DIM_SRC))
		return 0;
	conditions = calloc(c->out->n_rules, sizeof(*conditions));
	if (!conditions)
		return -ENOMEM;
	sl_classes_init(&classes, c->words);
	err = compile_side(c, side, conditions, &classes);
	sl_classes_fini(&classes);
	free(conditions);
	return err;
}
