// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "slots.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "compile.h"
#include "config.h"
#include "filter.h"
#include "observe.h"
#include "symbol.h"

struct slots {
	struct sl_rule_name *names; /* of the running generation */
	struct sl_counter *sums;    /* what each slot has counted so far */
	uint32_t n_slots;
	struct sl_symbols by_name;
	uint32_t next; /* no slot below is free */
};

static int read_names(struct slots *slots, const struct sl_filter *previous)
{
	int err = sl_filter_names(previous, slots->names);

	for (uint32_t i = 0; i < slots->n_slots && !err; i++) {
		slots->names[i].name[SL_NAME_BYTES - 1] = '\0';
		if (slots->names[i].name[0])
			err = sl_symbols_add(&slots->by_name,
					     slots->names[i].name, i);
	}
	return err;
}

static uint32_t take_free(struct slots *slots)
{
	while (slots->next < slots->n_slots &&
	       slots->names[slots->next].name[0])
		slots->next++;
	return slots->next < slots->n_slots ? slots->next++ : SL_SLOT_NONE;
}

static int assign(struct slots *slots, struct sl_compiled *compiled)
{
	for (size_t i = 0; i < compiled->n_rules; i++) {
		struct sl_compiled_rule *r = &compiled->rules[i];
		size_t found = sl_symbols_find(&slots->by_name, r->rule->name);

		r->fresh = found == SL_SYMBOL_NONE || r->rule->fresh;
		r->step.slot = r->fresh ? take_free(slots) : (uint32_t)found;
		if (r->step.slot == SL_SLOT_NONE)
			return -ENOSPC;
		r->base = r->fresh ? slots->sums[r->step.slot] :
				     slots->names[r->step.slot].base;
		if (r->step.expires_ns)
			r->step.expires_ns = r->rule->deadline_ns;
	}
	return 0;
}

int sl_slots_assign(struct sl_compiled *compiled,
		    const struct sl_filter *previous)
{
	struct slots slots = { .n_slots = previous ? previous->n_slots :
						     compiled->n_slots };
	int err = 0;

	slots.names = calloc(slots.n_slots + 1, sizeof(*slots.names));
	slots.sums = calloc(slots.n_slots + 1, sizeof(*slots.sums));
	if (!slots.names || !slots.sums)
		err = -ENOMEM;
	if (!err && previous)
		err = sl_rules_sum(previous, slots.sums);
	if (!err && previous && previous->map_fd[SL_MAP_NAMES] >= 0)
		err = read_names(&slots, previous);
	if (!err)
		err = assign(&slots, compiled);
	if (!err)
		compiled->n_slots = slots.n_slots;
	sl_symbols_fini(&slots.by_name);
	free(slots.names);
	free(slots.sums);
	return err;
}
