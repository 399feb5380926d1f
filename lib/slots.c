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

struct slots {
	struct sl_rule_name names[SL_SLOTS_MAX]; /* of the running generation */
	bool used[SL_SLOTS_MAX];
};

static int read_names(struct slots *slots, const struct sl_filter *previous)
{
	int err = sl_filter_names(previous, slots->names);

	for (uint32_t i = 0; i < SL_SLOTS_MAX && !err; i++)
		slots->used[i] = slots->names[i].name[0] != '\0';
	return err;
}

static uint32_t find_name(const struct slots *slots, const char *name)
{
	for (uint32_t i = 0; i < SL_SLOTS_MAX; i++)
		if (strncmp(slots->names[i].name, name, SL_NAME_BYTES) == 0)
			return i;
	return SL_SLOT_NONE;
}

static int take_free(struct slots *slots, uint32_t *slot)
{
	for (uint32_t i = 0; i < SL_SLOTS_MAX; i++) {
		if (slots->used[i])
			continue;
		slots->used[i] = true;
		*slot = i;
		return 0;
	}
	return -ENOSPC; /* cannot be: SL_SLOTS_MAX holds two generations */
}

int sl_slots_assign(struct sl_compiled *compiled,
		    const struct sl_filter *previous)
{
	struct slots *slots = calloc(1, sizeof(*slots));
	int err = 0;

	if (!slots)
		return -ENOMEM;
	if (previous && previous->map_fd[SL_MAP_NAMES] >= 0)
		err = read_names(slots, previous);
	for (size_t i = 0; i < compiled->n_rules && !err; i++) {
		struct sl_compiled_rule *r = &compiled->rules[i];

		r->info.slot = find_name(slots, r->rule->name);
		r->fresh = r->info.slot == SL_SLOT_NONE;
		if (r->fresh)
			err = take_free(slots, &r->info.slot);
	}
	free(slots);
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
					&r->info.slot, zeroes, BPF_ANY) < 0)
			err = -errno;
	}
	free(zeroes);
	return err;
}

_Static_assert(SL_SLOTS_MAX >= 2 * SL_RULES_MAX,
	       "a new generation finds free slots beside the running one");
