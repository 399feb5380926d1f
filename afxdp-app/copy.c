// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "copy.h"

#include <errno.h>
#include <string.h>

#include "port.h"
#include "say.h"

int sl_fwd_copy_open(struct sl_fwd_stage *stage, struct sl_courier *courier,
		     bool (*carry)(void *context, struct sl_spool *spool),
		     uint32_t workers)
{
	char name[SL_FWD_STAGE_NAME];
	int err = sl_courier_init(courier, workers, SL_COURIER_SPOOL);

	if (err && err != -ENOMEM)
		sl_fwd_say_error(sl_fwd_stage_name(stage, name),
				 "prepare its thread", err, NULL);
	if (err)
		return err;
	courier->carry = carry;
	courier->context = stage;
	stage->courier = courier;
	return 0;
}

void *sl_fwd_copy_packet(struct sl_fwd_step *step, struct sl_spool *spool,
			 const struct sl_fwd_burst *burst,
			 const struct sl_fwd_packet *packet,
			 uint32_t head_bytes)
{
	uint8_t *record = sl_spool_reserve(spool, head_bytes + packet->len);
	struct iovec buffers[SL_BURST];
	size_t used = head_bytes;

	if (!record) {
		sl_count_add(&step->lost, 1);
		return NULL;
	}
	sl_fwd_burst_vector(burst, packet, burst->in->umem, buffers);
	for (uint32_t i = 0; i < packet->n_bufs; i++) {
		memcpy(record + used, buffers[i].iov_base, buffers[i].iov_len);
		used += buffers[i].iov_len;
	}
	return record;
}

void sl_fwd_copy_hand_over(struct sl_fwd_step *step, struct sl_spool *spool)
{
	sl_spool_commit(spool);
	if (sl_courier_wake(step->stage->courier))
		sl_count_add(&step->wakes, 1);
}

void sl_fwd_copy_count(struct sl_fwd_stage *stage, uint32_t n, int err)
{
	sl_count_add(err ? &stage->failed : &stage->copied, n);
	__atomic_store_n(&stage->err, err, __ATOMIC_RELAXED);
}
