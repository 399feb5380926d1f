// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Recursive flow classification (Gupta, McKeown, "Packet Classification on
 * Multiple Fields", 1999) inside a group: a table from (class of the group so
 * far, class of the field) to the class of both, which is the conjunction of
 * the two vectors; equal conjunctions are one class. Where rules cut two fields
 * in many independent ways that table explodes; then the field begins a group
 * of its own, and the lookup takes the conjunction.
 */
#include "compiler.h"

#include <errno.h>
#include <stdlib.h>

/*
 * What a table and its classes may grow to. 2^19 cells are 2 MiB and are
 * computed in a quarter of a second with 10,000 rules; of the sets at hand none
 * comes near (the largest has 38,000 cells and 800 classes). More would make
 * some lookups shorter by one vector and all compilations longer.
 */
#define CELLS_MAX (1u << 19)
#define VECTORS_BYTES_MAX (8u << 20)

static bool begins_group(const struct sl_compiler *c, enum sl_field field)
{
	return c->n_groups == 0 || field == SL_FIELD_DST ||
	       c->group_end[c->n_groups - 1] == SL_FIELD_SRC ||
	       c->group_end[c->n_groups - 1] == SL_FIELD_DST;
}

static int new_group(struct sl_compiler *c, enum sl_field field,
		     struct sl_classes *classes)
{
	if (c->n_groups == SL_GROUPS_MAX) {
		sl_classes_fini(classes);
		return -E2BIG;
	}
	c->out->gen.field[field].combine = 0;
	c->groups[c->n_groups] = *classes;
	c->group_end[c->n_groups++] = field;
	return 0;
}

static bool is_large(const struct sl_classes *classes)
{
	return classes->n_classes * classes->words * sizeof(uint64_t) >
	       VECTORS_BYTES_MAX;
}

/*
 * The classes of both, and the table: cells[a's class][b's class]. -EFBIG when
 * there are too many.
 */
static int combine(const struct sl_classes *a, const struct sl_classes *b,
		   struct sl_classes *both, uint32_t *cells)
{
	uint64_t *vector = calloc(both->words, sizeof(*vector));

	if (!vector)
		return -ENOMEM;
	for (size_t i = 0; i < a->n_classes; i++)
		for (size_t j = 0; j < b->n_classes; j++) {
			const uint64_t *x = sl_classes_vector(a, i);
			const uint64_t *y = sl_classes_vector(b, j);
			int64_t class_id;

			for (size_t w = 0; w < both->words; w++)
				vector[w] = x[w] & y[w];
			class_id = sl_classes_add(both, vector);
			if (class_id < 0 || is_large(both)) {
				free(vector);
				return class_id < 0 ? (int)class_id : -EFBIG;
			}
			*cells++ = (uint32_t)class_id;
		}
	free(vector);
	return 0;
}

/* 0 and *both has the classes, -EFBIG, or another -errno; then nothing is left. */
static int join(struct sl_compiler *c, enum sl_field field,
		const struct sl_classes *group,
		const struct sl_classes *classes, struct sl_classes *both)
{
	size_t used = c->tables.used;
	int64_t offset;
	int err;

	if (group->n_classes * classes->n_classes > CELLS_MAX)
		return -EFBIG;
	offset = sl_tables_reserve(&c->tables, group->n_classes *
						       classes->n_classes *
						       sizeof(uint32_t));
	if (offset < 0)
		return (int)offset;
	sl_classes_init(both, c->words);
	err = combine(group, classes, both,
		      sl_tables_pointer(&c->tables, (uint32_t)offset));
	if (err) {
		sl_classes_fini(both);
		sl_tables_shrink(&c->tables, used);
		return err;
	}
	c->out->gen.field[field].combine = (uint32_t)offset;
	return 0;
}

int sl_compile_group(struct sl_compiler *c, enum sl_field field,
		     struct sl_classes *classes)
{
	struct sl_classes both, *group;
	int err;

	c->out->gen.field[field].n_classes = (uint32_t)classes->n_classes;
	if (begins_group(c, field))
		return new_group(c, field, classes);
	group = &c->groups[c->n_groups - 1];
	err = join(c, field, group, classes, &both);
	if (err == -EFBIG)
		return new_group(c, field, classes);
	sl_classes_fini(classes);
	if (err)
		return err;
	sl_classes_fini(group);
	*group = both;
	c->group_end[c->n_groups - 1] = field;
	return 0;
}
