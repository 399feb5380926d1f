/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the parts of the compiler share; compile.h is what others see. They
 * return 0, -ENOMEM, or -E2BIG when the tables would be too large.
 */
#ifndef SLUICE_COMPILER_H
#define SLUICE_COMPILER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "classes.h"
#include "compile.h"
#include "tables.h"

struct sl_addr;
struct sl_config;
struct sl_rule;

struct sl_compiler {
	struct sl_compiled *out;
	struct sl_tables_builder tables;
	size_t words;
	uint64_t *base; /* scratch: rules that ask nothing of the field */
	struct sl_classes groups[SL_GROUPS_MAX];
	enum sl_field group_end[SL_GROUPS_MAX]; /* the last field of each */
	size_t n_groups;
};

/* Is it a live set, which the tables do not hold? */
bool sl_addr_is_live(const struct sl_addr *a);

/* Does this rule ask something of this field? */
bool sl_rule_asks(const struct sl_rule *rule, enum sl_field field);

/* Fills c->base; false when no rule looks at the field at all. */
bool sl_compiler_base(struct sl_compiler *c, enum sl_field field);

/* Appends bytes to the tables, and says where they are. */
int sl_compiler_put(struct sl_compiler *c, const void *values, size_t bytes,
		    uint32_t *where);

/*
 * Puts the map from the field's values to classes into the tables, and the
 * classes into `classes`, which is initialized. compile_address.c,
 * compile_mac.c, compile_value.c
 */
int sl_compile_address(struct sl_compiler *c, enum sl_field field,
		       struct sl_classes *classes);
int sl_compile_mac(struct sl_compiler *c, enum sl_field field,
		   struct sl_classes *classes);
int sl_compile_value(struct sl_compiler *c, enum sl_field field,
		     struct sl_classes *classes);

/*
 * Folds the field's classes into the group under way, or begins a new one with
 * them. Takes *classes over, also on failure. compile_group.c
 */
int sl_compile_group(struct sl_compiler *c, enum sl_field field,
		     struct sl_classes *classes);

/* From the groups to keys and answers. compile_answer.c */
int sl_compile_answers(struct sl_compiler *c);

/*
 * From r->rule, at `position` in the order, to r->kind and to r->step, but for what the loader
 * knows (slot, device, limiter) and `resume`. SL_GEN_*: what the program must be able to do
 * for it. compile_step.c
 */
uint32_t sl_compile_step(const struct sl_config *config, size_t position,
			 struct sl_compiled_rule *r);

#endif /* SLUICE_COMPILER_H */
