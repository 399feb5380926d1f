// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "slots.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "compile.h"
#include "config.h"
#include "filter.h"
#include "symbol.h"

struct slots {
	struct sl_rule_name *names; /* of the running generation */
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
	if (!slots.names)
		return -ENOMEM;
	if (previous && previous->map_fd[SL_MAP_NAMES] >= 0)
		err = read_names(&slots, previous);
	if (!err)
		err = assign(&slots, compiled);
	if (!err)
		compiled->n_slots = slots.n_slots;
	sl_symbols_fini(&slots.by_name);
	free(slots.names);
	return err;
}

int sl_slots_zero(const struct sl_compiled *compiled,
		  const struct sl_filter *previous)
{
	int err = 0, cpus = sl_cpus_possible();
	struct sl_counter *zeroes;

	if (cpus < 0)
		return cpus;
	zeroes = calloc((size_t)cpus, sizeof(*zeroes));
	if (!zeroes)
		return -ENOMEM;
	for (size_t i = 0; i < compiled->n_rules && !err; i++) {
		const struct sl_compiled_rule *r = &compiled->rules[i];

		if (r->fresh &&
		    bpf_map_update_elem(previous->map_fd[SL_MAP_RULES],
					&r->step.slot, zeroes, BPF_ANY) < 0)
			err = -errno;
	}
	free(zeroes);
	return err;
}
