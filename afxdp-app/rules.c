// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "forwarder.h"
#include "lib/config.h"
#include "lib/error.h"
#include "lib/filter.h"
#include "say.h"

static size_t slots_count(const struct sl_fwd *fwd)
{
	return fwd->config->n_stages * fwd->n_ifaces;
}

int sl_fwd_rules_open(struct sl_fwd *fwd)
{
	size_t n = slots_count(fwd);
	uint32_t *slots;

	if (!n)
		return 0;
	/* The agent writes it, the data plane reads it. */
	slots = mmap(NULL, n * sizeof(*slots), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (slots == MAP_FAILED)
		return -ENOMEM;
	for (size_t k = 0; k < n; k++)
		slots[k] = SL_FWD_RULE_NONE;
	fwd->slots = slots;
	return 0;
}

void sl_fwd_rules_bind(struct sl_fwd *fwd)
{
	for (uint32_t i = 0; i < fwd->stages.n; i++)
		if (fwd->config->stages[i].rule)
			fwd->stages.stages[i].slots =
				&fwd->slots[(size_t)i * fwd->n_ifaces];
}

void sl_fwd_rules_close(struct sl_fwd *fwd)
{
	if (fwd->slots)
		munmap(fwd->slots, slots_count(fwd) * sizeof(*fwd->slots));
	fwd->slots = NULL;
}

static bool is_asked(const struct sl_fwd *fwd)
{
	for (size_t i = 0; i < fwd->config->n_stages; i++)
		if (fwd->config->stages[i].rule)
			return true;
	return false;
}

static uint32_t find_slot(const struct sl_rule_name *names, uint32_t n,
			  const char *rule)
{
	for (uint32_t slot = 0; slot < n; slot++)
		if (!strncmp(names[slot].name, rule, sizeof(names->name)))
			return slot;
	return SL_FWD_RULE_NONE;
}

static int names_read(uint32_t program_id, struct sl_rule_name **names,
		      uint32_t *n)
{
	struct sl_rule_name *all = NULL;
	struct sl_error error;
	struct sl_filter filter;
	int err = sl_filter_open(program_id, &filter, &error);

	if (err)
		return err;
	*n = filter.n_slots;
	all = calloc(filter.n_slots, sizeof(*all));
	err = all ? sl_filter_names(&filter, all) : -ENOMEM;
	sl_filter_close(&filter);
	if (err) {
		free(all);
		return err;
	}
	*names = all;
	return 0;
}

int sl_fwd_rules_read(struct sl_fwd *fwd, uint32_t iface, uint32_t program_id)
{
	struct sl_rule_name *names;
	uint32_t n;
	int err;

	if (!is_asked(fwd))
		return 0;
	err = names_read(program_id, &names, &n);
	if (err)
		return err;
	for (size_t i = 0; i < fwd->config->n_stages; i++) {
		const char *rule = fwd->config->stages[i].rule;

		if (rule)
			__atomic_store_n(&fwd->slots[i * fwd->n_ifaces + iface],
					 find_slot(names, n, rule),
					 __ATOMIC_RELAXED);
	}
	free(names);
	return 0;
}

void sl_fwd_rules_say(const struct sl_fwd *fwd)
{
	char name[SL_FWD_STAGE_NAME];

	for (uint32_t i = 0; i < fwd->stages.n; i++) {
		const struct sl_fwd_stage *stage = &fwd->stages.stages[i];
		bool found = false;

		for (uint32_t k = 0; stage->slots && k < fwd->n_ifaces; k++)
			found |= stage->slots[k] != SL_FWD_RULE_NONE;
		if (stage->slots && !found)
			sl_fwd_say_of(
				sl_fwd_stage_name(stage, name),
				"rule \"%s\": no filter here has it, so the stage sees no packet; "
				"'sluice apply FILE', which need not end the forwarder",
				stage->config->rule);
	}
}
