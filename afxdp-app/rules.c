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
#include "lib/journal.h"
#include "say.h"

static size_t slots_count(const struct sl_fwd *fwd)
{
	return fwd->config->n_stages * fwd->n_ifaces;
}

/* The agent writes it, the data plane reads it. Takes the memory that is written to. */
static void *shared(size_t bytes)
{
	void *area = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return area == MAP_FAILED ? NULL : area;
}

static bool has_capture(const struct sl_fwd *fwd)
{
	for (size_t i = 0; i < fwd->config->n_stages; i++)
		if (fwd->config->stages[i].kind == SL_STAGE_CAPTURE)
			return true;
	return false;
}

int sl_fwd_rules_open(struct sl_fwd *fwd)
{
	size_t n = slots_count(fwd);

	if (!n)
		return 0;
	fwd->slots = shared(n * sizeof(*fwd->slots));
	if (!fwd->slots)
		return -ENOMEM;
	for (size_t k = 0; k < n; k++)
		fwd->slots[k] = SL_FWD_RULE_NONE;
	if (!has_capture(fwd))
		return 0;
	fwd->names = shared(fwd->n_ifaces * sizeof(*fwd->names));
	return fwd->names ? 0 : -ENOMEM;
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
	if (fwd->names)
		munmap(fwd->names, fwd->n_ifaces * sizeof(*fwd->names));
	fwd->names = NULL;
}

/* A sequence lock: the second barrier of each pairs with the first of the other. */
static void names_write(struct sl_fwd_rule_names *names, uint32_t generation,
			const struct sl_rule_name *all, uint32_t n)
{
	uint32_t changes = names->changes;

	__atomic_store_n(&names->changes, changes + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	names->generation = generation;
	names->n = n < SL_SLOTS_MAX ? n : SL_SLOTS_MAX;
	for (uint32_t slot = 0; slot < names->n; slot++)
		memcpy(names->name[slot], all[slot].name, SL_NAME_BYTES);
	__atomic_store_n(&names->changes, changes + 2, __ATOMIC_RELEASE);
}

bool sl_fwd_rules_name(const struct sl_fwd_rule_names *names,
		       uint32_t generation, uint32_t slot,
		       char text[SL_NAME_BYTES])
{
	uint32_t changes = __atomic_load_n(&names->changes, __ATOMIC_ACQUIRE);
	bool known = names->generation == generation && slot < names->n;

	if (!known)
		return false;
	memcpy(text, names->name[slot], SL_NAME_BYTES);
	text[SL_NAME_BYTES - 1] = '\0';
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return !(changes & 1) && text[0] &&
	       changes == __atomic_load_n(&names->changes, __ATOMIC_RELAXED);
}

static bool is_asked(const struct sl_fwd *fwd)
{
	for (size_t i = 0; i < fwd->config->n_stages; i++)
		if (fwd->config->stages[i].rule)
			return true;
	return fwd->names;
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
		      uint32_t *n, uint32_t *generation)
{
	struct sl_rule_name *all = NULL;
	struct sl_error error;
	struct sl_filter filter;
	int err = sl_filter_open(program_id, &filter, &error);

	if (err)
		return err;
	/* Without metadata no packet says by which of its rules it came. */
	*n = filter.gen.flags & SL_GEN_META ? filter.n_slots : 0;
	*generation = (uint32_t)filter.gen.generation;
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

void sl_fwd_rules_say_about(const struct sl_fwd *fwd)
{
	char name[SL_FWD_STAGE_NAME];

	for (size_t i = 0; i < fwd->config->n_stages; i++) {
		const struct sl_fwd_stage stage = {
			.config = &fwd->config->stages[i]
		};

		sl_fwd_say_about(sl_fwd_stage_name(&stage, name),
				 &(struct sl_journal_about){
					 .rule = fwd->config->stages[i].rule });
	}
}

void sl_fwd_rules_say_generation(const char *iface, uint32_t program_id)
{
	struct sl_journal_about about = { .interface = iface };
	struct sl_error error;
	struct sl_filter filter;

	if (sl_fwd_say_fd() < 0)
		return;
	if (program_id && sl_filter_open(program_id, &filter, &error) == 0) {
		about.generation = filter.gen.generation;
		sl_filter_close(&filter);
	}
	sl_fwd_say_about(iface, &about);
}

int sl_fwd_rules_read(struct sl_fwd *fwd, uint32_t iface, uint32_t program_id)
{
	struct sl_rule_name *names;
	uint32_t n, generation;
	int err;

	if (!is_asked(fwd))
		return 0;
	err = names_read(program_id, &names, &n, &generation);
	if (err)
		return err;
	if (fwd->names)
		names_write(&fwd->names[iface], generation, names, n);
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
				"rule \"%s\": no filter here tells of it, so the stage sees no packet; "
				"'sluice apply FILE', which need not end the forwarder",
				stage->config->rule);
	}
}
