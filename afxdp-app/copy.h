/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What stages that copy packets have in common: a worker writes a copy into its spool, the
 * stage's courier (courier.h) carries it on. The packet itself is not touched, and goes on
 * whatever becomes of the copy.
 */
#ifndef SLUICE_FWD_COPY_H
#define SLUICE_FWD_COPY_H

#include <stdint.h>

#include "courier.h"
#include "stage.h"

/*
 * Main thread: makes stage->courier of `courier`, with a spool for each worker, to carry with
 * the stage as its context. 0 or -errno, after a message but for -ENOMEM.
 */
int sl_fwd_copy_open(struct sl_fwd_stage *stage, struct sl_courier *courier,
		     bool (*carry)(void *context, struct sl_spool *spool),
		     uint32_t workers);

/*
 * The worker: a record of `head_bytes` (a multiple of 8), for the caller to fill, with the
 * packet behind it; NULL, and counted as lost, if the spool has no room.
 */
void *sl_fwd_copy_packet(struct sl_fwd_step *step, struct sl_spool *spool,
			 const struct sl_fwd_burst *burst,
			 const struct sl_fwd_packet *packet,
			 uint32_t head_bytes);

/* The worker: hands the records of a batch over. */
void sl_fwd_copy_hand_over(struct sl_fwd_step *step, struct sl_spool *spool);

/* The courier: `n` copies ended well (err 0), or not (-errno). */
void sl_fwd_copy_count(struct sl_fwd_stage *stage, uint32_t n, int err);

#endif /* SLUICE_FWD_COPY_H */
