/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the parts of the compiler share; compile.h is what others see. Each
 * part compiles one dimension into the tables. They return 0, -ENOMEM or
 * -E2BIG.
 */
#ifndef SLUICE_COMPILER_H
#define SLUICE_COMPILER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compile.h"
#include "tables.h"

struct sl_classes;
struct sl_rule;

struct sl_compiler {
	struct sl_compiled *out;
	struct sl_tables_builder tables;
	size_t words;
	uint64_t *base; /* scratch: rules that ask nothing of the field */
};

/* Does this rule ask something of this dimension? */
bool sl_rule_asks(const struct sl_rule *rule, enum sl_dim dim);

/* Fills c->base; false when no rule looks at the field at all. */
bool sl_compiler_base(struct sl_compiler *c, enum sl_dim dim);

/* Appends bytes to the tables, and says where they are. */
int sl_compiler_put(struct sl_compiler *c, const void *values, size_t bytes,
		    uint32_t *where);

/* Appends the vectors of a dimension, which is in use from now on. */
int sl_compiler_put_vectors(struct sl_compiler *c, enum sl_dim dim,
			    const struct sl_classes *classes);

/* side: 0 source, 1 destination. compile_address.c, compile_field.c */
int sl_compile_addresses(struct sl_compiler *c, int side);
int sl_compile_ports(struct sl_compiler *c, int side);
int sl_compile_kinds(struct sl_compiler *c);
int sl_compile_fragment(struct sl_compiler *c);
int sl_compile_vlans(struct sl_compiler *c);

#endif /* SLUICE_COMPILER_H */
