// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "burst.h"

#include <string.h>

#include "port.h"
#include "sluice/meta.h"
#include "umem.h"

#define ROOM_BYTES (SL_FRAME_BYTES - SL_BURST_HEADROOM)

void sl_fwd_burst_stage(const struct sl_fwd_burst *burst, struct sl_umem *umem)
{
	const struct sl_umem copy = *umem;
	uint32_t n = 0;

	for (uint32_t i = 0, end = burst->n_bufs; i < end; i++)
		n += sl_umem_try(&copy, burst->buf[i].addr, SL_FRAME_RX,
				 SL_FRAME_STAGE);
	sl_umem_moved(umem, SL_FRAME_RX, SL_FRAME_STAGE, n);
}

void sl_fwd_burst_learn(struct sl_fwd_burst *burst)
{
	for (uint32_t i = 0; i < burst->n; i++) {
		struct sl_fwd_packet *packet = &burst->packet[i];
		uint8_t *at = packet->data - sizeof(struct sl_meta);
		struct sl_meta meta;

		/* The bytes in front of it may be another frame's. */
		if (burst->buf[packet->first].addr % SL_FRAME_BYTES <
		    sizeof(meta))
			continue;
		memcpy(&meta, at, sizeof(meta));
		if (meta.magic != SL_META_MAGIC)
			continue;
		memset(at, 0, sizeof(meta.magic));
		packet->rule = meta.slot;
		packet->flags = meta.flags;
	}
}

void sl_fwd_burst_drop(const struct sl_fwd_burst *burst, struct sl_umem *umem)
{
	for (uint32_t i = 0; i < burst->n; i++) {
		const struct sl_fwd_packet *packet = &burst->packet[i];

		if (packet->drop == SL_FWD_KEEP)
			continue;
		for (uint32_t b = 0; b < packet->n_bufs; b++)
			sl_umem_give(umem, burst->buf[packet->first + b].addr,
				     SL_FRAME_STAGE);
		sl_count_add(&packet->out->count.drops[packet->drop], 1);
	}
}

bool sl_fwd_burst_put(struct sl_fwd_burst *burst, const void *bytes,
		      uint32_t len)
{
	uint32_t n_bufs = (len + ROOM_BYTES - 1) / ROOM_BYTES;
	struct sl_fwd_packet *packet = &burst->packet[burst->n];
	struct sl_umem *umem = burst->in->umem;

	if (burst->n == SL_BURST || n_bufs > SL_BURST - burst->n_bufs ||
	    n_bufs > umem->count[SL_FRAME_FREE])
		return false;
	*packet = (struct sl_fwd_packet){ .out = burst->in->peer,
					  .len = len,
					  .rule = SL_FWD_RULE_NONE,
					  .first = (uint8_t)burst->n_bufs,
					  .n_bufs = (uint8_t)n_bufs };
	for (uint32_t done = 0; done < len;) {
		struct xdp_desc *desc = &burst->buf[burst->n_bufs++];
		uint32_t part = len - done < ROOM_BYTES ? len - done :
							  ROOM_BYTES;

		*desc = (struct xdp_desc){ .addr = sl_umem_take(umem) +
						   SL_BURST_HEADROOM,
					   .len = part };
		sl_umem_move(umem, desc->addr, SL_FRAME_FILL, SL_FRAME_RX);
		memcpy(sl_umem_data(umem, desc->addr),
		       (const char *)bytes + done, part);
		done += part;
		if (done < len)
			desc->options = XDP_PKT_CONTD;
	}
	packet->data = sl_umem_data(umem, burst->buf[packet->first].addr);
	packet->head_bytes = (uint16_t)burst->buf[packet->first].len;
	burst->bytes += len;
	burst->n++;
	return true;
}

void sl_fwd_burst_vector(const struct sl_fwd_burst *burst,
			 const struct sl_fwd_packet *packet,
			 const struct sl_umem *umem, struct iovec *vec)
{
	for (uint32_t b = 0; b < packet->n_bufs; b++) {
		const struct xdp_desc *desc = &burst->buf[packet->first + b];

		vec[b] = (struct iovec){ .iov_base =
						 sl_umem_data(umem, desc->addr),
					 .iov_len = desc->len };
	}
}
