// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "stage.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "copy.h"
#include "forwarder.h"
#include "lib/config.h"
#include "lib/keyword.h"
#include "lib/quantity.h"
#include "rules.h"
#include "say.h"

static const struct sl_fwd_stage_ops *const kinds[] = {
	[SL_STAGE_POLICE] = &sl_fwd_stage_police,
	[SL_STAGE_MIRROR] = &sl_fwd_stage_mirror,
	[SL_STAGE_CAPTURE] = &sl_fwd_stage_capture,
	[SL_STAGE_USER] = &sl_fwd_stage_user,
};

const char *sl_fwd_stage_target(const struct sl_fwd_stage *stage, char *text)
{
	if (stage->config->kind == SL_STAGE_POLICE)
		sl_rate_format(stage->config->rate, text);
	else
		snprintf(text, SL_FWD_STAGE_TARGET, "%s",
			 stage->config->target);
	return text;
}

const char *sl_fwd_stage_name(const struct sl_fwd_stage *stage, char *text)
{
	char target[SL_FWD_STAGE_TARGET];

	snprintf(text, SL_FWD_STAGE_NAME, "%s %.200s (line %u)",
		 sl_stage_words[stage->config->kind],
		 sl_fwd_stage_target(stage, target), stage->config->pos.line);
	return text;
}

static int stage_open(struct sl_fwd *fwd, uint32_t i)
{
	struct sl_fwd_stages *stages = &fwd->stages;
	struct sl_fwd_stage *stage = &stages->stages[i];
	int err = stage->ops->open(stage, fwd);
	char name[SL_FWD_STAGE_NAME];

	if (err == -ENOMEM)
		sl_fwd_say_error(sl_fwd_stage_name(stage, name),
				 "reserve memory", err,
				 "fewer workers or stages");
	if (err)
		return err;
	for (uint32_t w = 0; w < stages->workers; w++) {
		struct sl_fwd_step *step = &stages->steps[w * stages->n + i];

		if (stage->ops->attach)
			err = stage->ops->attach(stage, step, w,
						 stages->workers);
		if (err)
			return err;
		step->stage = stage;
	}
	return 0;
}

static void stages_rules(struct sl_fwd *fwd)
{
	sl_fwd_rules_bind(fwd);
	/* A filter without names, or another's, has no rule: that is said below. */
	for (uint32_t i = 0; i < fwd->n_ifaces; i++)
		sl_fwd_rules_read(fwd, i, fwd->ifaces[i].filter.program_id);
	sl_fwd_rules_say(fwd);
}

int sl_fwd_stages_open(struct sl_fwd *fwd)
{
	struct sl_fwd_stages *stages = &fwd->stages;
	size_t n = fwd->config->n_stages;
	size_t bytes = n * fwd->n_workers * sizeof(*stages->steps);
	int err = 0;

	if (!n)
		return 0;
	stages->stages = calloc(n, sizeof(*stages->stages));
	stages->steps = aligned_alloc(sizeof(*stages->steps), bytes);
	if (!stages->stages || !stages->steps) {
		sl_fwd_say_error("stages", "reserve memory", -ENOMEM, NULL);
		return -ENOMEM;
	}
	memset(stages->steps, 0, bytes);
	stages->n = (uint32_t)n;
	stages->workers = fwd->n_workers;
	for (uint32_t i = 0; i < n && !err; i++) {
		stages->stages[i].config = &fwd->config->stages[i];
		stages->stages[i].ops = kinds[fwd->config->stages[i].kind];
		err = stage_open(fwd, i);
	}
	for (uint32_t w = 0; w < fwd->n_workers && !err; w++) {
		fwd->workers[w].steps = &stages->steps[w * n];
		fwd->workers[w].n_steps = stages->n;
	}
	if (!err)
		stages_rules(fwd);
	return err;
}

int sl_fwd_stages_start(struct sl_fwd_stages *stages)
{
	char name[SL_FWD_STAGE_NAME];
	int err;

	for (uint32_t i = 0; i < stages->n; i++) {
		struct sl_fwd_stage *stage = &stages->stages[i];

		if (!stage->courier)
			continue;
		err = sl_courier_start(stage->courier);
		if (err) {
			sl_fwd_say_error(sl_fwd_stage_name(stage, name),
					 "start its thread", err, NULL);
			return err;
		}
	}
	return 0;
}

void sl_fwd_stages_watch(struct sl_fwd_stages *stages)
{
	char name[SL_FWD_STAGE_NAME];

	for (uint32_t i = 0; i < stages->n; i++) {
		struct sl_fwd_stage *stage = &stages->stages[i];
		int err = __atomic_load_n(&stage->err, __ATOMIC_RELAXED);

		if (err && err != stage->told)
			sl_fwd_say_error(
				sl_fwd_stage_name(stage, name),
				stage->ops->copies, err,
				"copies are lost meanwhile; packets are not");
		stage->told = err;
	}
}

static bool stage_stuck(const struct sl_fwd_stage *stage)
{
	return stage->courier && stage->courier->stuck;
}

static void stage_stop(struct sl_fwd_stage *stage)
{
	struct sl_courier *courier = stage->courier;
	char name[SL_FWD_STAGE_NAME];
	uint32_t bytes;

	if (!courier || stage_stuck(stage))
		return;
	sl_courier_stop(courier);
	if (courier->stuck) {
		sl_fwd_say_of(
			sl_fwd_stage_name(stage, name),
			"%s: it does not come back and is left behind, with the copies that "
			"it has; look at the disk or device ('dmesg')",
			stage->ops->copies);
		return;
	}
	for (uint32_t w = 0; w < courier->n; w++)
		while (sl_spool_take(&courier->spools[w], &bytes))
			sl_count_add(&stage->failed, 1);
}

void sl_fwd_stages_stop(struct sl_fwd_stages *stages)
{
	for (uint32_t i = 0; i < stages->n; i++)
		stage_stop(&stages->stages[i]);
	sl_fwd_stages_watch(stages);
}

static void stage_close(struct sl_fwd_stages *stages, uint32_t i)
{
	struct sl_fwd_stage *stage = &stages->stages[i];

	for (uint32_t w = 0; w < stages->workers; w++) {
		struct sl_fwd_step *step = &stages->steps[w * stages->n + i];

		if (step->stage && stage->ops->detach)
			stage->ops->detach(step);
	}
	if (stage->own && stage->ops->close && !stage_stuck(stage))
		stage->ops->close(stage);
}

void sl_fwd_stages_close(struct sl_fwd_stages *stages)
{
	bool stuck = false;

	sl_fwd_stages_stop(stages);
	for (uint32_t i = 0; i < stages->n; i++) {
		stuck = stuck || stage_stuck(&stages->stages[i]);
		stage_close(stages, i);
	}
	free(stages->steps);
	/* A courier that is stuck counts there when it comes back; the process ends soon. */
	if (!stuck)
		free(stages->stages);
	memset(stages, 0, sizeof(*stages));
}

/* Takes out what was dropped. */
static void batch_compact(struct sl_fwd_batch *batch)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < batch->n; i++)
		if (batch->packets[i]->drop == SL_FWD_KEEP)
			batch->packets[kept++] = batch->packets[i];
	batch->n = kept;
}

/* Those that the stage's rule forwarded. */
static void batch_choose(const struct sl_fwd_stage *stage,
			 const struct sl_fwd_batch *batch,
			 struct sl_fwd_batch *chosen)
{
	uint32_t slot = __atomic_load_n(&stage->slots[batch->burst->in->iface],
					__ATOMIC_RELAXED);

	chosen->burst = batch->burst;
	chosen->now_ns = batch->now_ns;
	chosen->n = 0;
	if (slot == SL_FWD_RULE_NONE)
		return;
	for (uint32_t i = 0; i < batch->n; i++)
		if (batch->packets[i]->rule == slot)
			chosen->packets[chosen->n++] = batch->packets[i];
}

static void step_run(struct sl_fwd_step *step, struct sl_fwd_batch *batch)
{
	uint32_t before = batch->n;

	if (!before)
		return;
	step->stage->ops->process(step, batch);
	batch_compact(batch);
	sl_count_add(&step->packets, before);
	if (batch->n != before)
		sl_count_add(&step->dropped, before - batch->n);
}

void sl_fwd_steps_run(struct sl_fwd_step *steps, uint32_t n,
		      struct sl_fwd_burst *burst, uint64_t now_ns)
{
	struct sl_fwd_batch batch, chosen;

	if (!n)
		return;
	batch.burst = burst;
	batch.now_ns = now_ns;
	batch.n = burst->n;
	for (uint32_t i = 0; i < burst->n; i++)
		batch.packets[i] = &burst->packet[i];
	batch_compact(&batch);
	for (uint32_t i = 0; i < n && batch.n; i++) {
		if (!steps[i].stage->slots) {
			step_run(&steps[i], &batch);
			continue;
		}
		batch_choose(steps[i].stage, &batch, &chosen);
		step_run(&steps[i], &chosen);
		batch_compact(&batch);
	}
}

void sl_fwd_stage_count(const struct sl_fwd_stages *stages, uint32_t i,
			struct sl_fwd_stage_counts *counts)
{
	const struct sl_fwd_stage *stage = &stages->stages[i];

	memset(counts, 0, sizeof(*counts));
	counts->copied = sl_count_read(&stage->copied);
	counts->lost = sl_count_read(&stage->failed);
	for (uint32_t w = 0; w < stages->workers; w++) {
		const struct sl_fwd_step *step =
			&stages->steps[w * stages->n + i];

		counts->packets += sl_count_read(&step->packets);
		counts->dropped += sl_count_read(&step->dropped);
		counts->lost += sl_count_read(&step->lost);
		counts->wakes += sl_count_read(&step->wakes);
	}
}
