// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * police RATE: a GCRA (ITU-T I.371) as in xdp/limit.h, with the same constants and the same
 * burst: one word holds the time up to which the rate is used up, and a packet conforms if
 * its cost still ends within the burst from now.
 *
 * One word for all workers, as RSS does not share traffic out evenly: shares of the rate would
 * hold a single flow to one worker's. A worker claims once a burst, so the word's cache line
 * moves between CPUs once in up to 64 packets; who loses the race judges its burst again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "forwarder.h"
#include "lib/config.h"
#include "lib/limiter.h"
#include "say.h"

struct police {
	uint64_t used_ns; /* atomic: the rate is used up to then, CLOCK_MONOTONIC */
	uint64_t pad[7]; /* workers read what follows from a line that none writes */
	struct sl_limiter limiter;
} __attribute__((aligned(64)));

static int police_open(struct sl_fwd_stage *stage, const struct sl_fwd *fwd)
{
	const struct sl_action_spec spec = { .action = SL_ACTION_LIMIT,
					     .rate = stage->config->rate };
	char name[SL_FWD_STAGE_NAME];
	struct police *police;
	int err;

	police = aligned_alloc(_Alignof(struct police), sizeof(*police));
	if (!police)
		return -ENOMEM;
	memset(police, 0, sizeof(*police));
	err = sl_limiter_init(&police->limiter, "", &spec, fwd->n_workers, 0);
	if (err) {
		sl_fwd_say_of(sl_fwd_stage_name(stage, name),
			      "the rate is 0 or over 1000G; give one between");
		free(police);
		return -EDOM;
	}
	stage->own = police;
	return 0;
}

static uint64_t tokens(const struct sl_limiter *limiter,
		       const struct sl_fwd_packet *packet)
{
	return limiter->flags & SL_LIMIT_BYTES ? packet->len : 1;
}

/* Judges the batch from `used_ns` on: what is used up by then, and in `over` who is over. */
static uint64_t judge(const struct sl_limiter *limiter,
		      const struct sl_fwd_batch *batch, uint64_t used_ns,
		      uint64_t *over)
{
	uint64_t end_ns = batch->now_ns + limiter->reach, sum = 0, cost_ns = 0;

	if (used_ns < batch->now_ns)
		used_ns = batch->now_ns;
	*over = 0;
	for (uint32_t i = 0; i < batch->n; i++) {
		uint64_t next = sum + tokens(limiter, batch->packets[i]);
		uint64_t next_ns = next * limiter->mult >> limiter->cost_shift;

		if (used_ns + next_ns > end_ns) {
			*over |= 1ull << i;
			continue;
		}
		sum = next;
		cost_ns = next_ns;
	}
	return used_ns + cost_ns;
}

_Static_assert(SL_BURST <= 64, "`over` has a bit for each packet");

static void police_process(struct sl_fwd_step *step,
			   const struct sl_fwd_batch *batch)
{
	struct police *police = step->stage->own;
	uint64_t used_ns = __atomic_load_n(&police->used_ns, __ATOMIC_RELAXED);
	uint64_t next_ns, over;

	/* Each turn but the first follows a claim of another worker: no one waits for one. */
	do {
		next_ns = judge(&police->limiter, batch, used_ns, &over);
	} while (next_ns != used_ns &&
		 !__atomic_compare_exchange_n(&police->used_ns, &used_ns,
					      next_ns, false, __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
	for (uint32_t i = 0; i < batch->n; i++)
		if (over >> i & 1)
			batch->packets[i]->drop = SL_FWD_DROP_POLICED;
}

static void police_close(struct sl_fwd_stage *stage)
{
	free(stage->own);
}

const struct sl_fwd_stage_ops sl_fwd_stage_police = {
	.open = police_open,
	.process = police_process,
	.close = police_close,
};
