/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * `log`: samples of packets for a reader in user space (lib/samples.c).
 *
 * A log rule stands before the rule that decides, so the search only notes it
 * (sl_log_note) and the record is written once the verdict is known. A ring
 * that is full loses the sample, never the packet: the kernel's ring cannot
 * overwrite its oldest records, so without a reader it fills and stays full.
 */
#ifndef SLUICE_XDP_LOG_H
#define SLUICE_XDP_LOG_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "decision.h"
#include "maps.h"

/* The log rules that took the packet, as in struct sl_log_record. */
struct sl_log_rules {
	__u32 slot[SL_LOG_RULES];
};

/*
 * One in step->sample (0 and 1: every one), as if at random: to count would be
 * to see of periodic traffic the same packet of each period, or never. `number`
 * is what this CPU has counted for the rule, hashed (the finalizer of
 * MurmurHash3) with a key that no sender knows; bpf_get_prandom_u32() costs
 * 14 ns more. A 32-bit number times `sample` is below 2^32 for one in `sample`.
 */
static __always_inline bool sl_log_takes(const struct sl_step *step,
					 __u64 number, __u64 key)
{
	__u64 h = number ^ (__u64)step->slot << 40 ^ key;

	if (step->action != SL_STEP_LOG || step->flags & SL_STEP_OBSERVE)
		return false;
	h = (h ^ h >> 33) * 0xff51afd7ed558ccdULL;
	h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53ULL;
	return (h >> 32) * step->sample < 1ULL << 32;
}

/* Shifted in, because an index would be another state for the verifier. */
static __always_inline void sl_log_note(struct sl_log_rules *rules, __u32 slot)
{
	rules->slot[3] = rules->slot[2];
	rules->slot[2] = rules->slot[1];
	rules->slot[1] = rules->slot[0];
	rules->slot[0] = slot;
}

_Static_assert(SL_LOG_RULES == 4, "sl_log_note() shifts four");

static __always_inline void sl_log_begin(struct sl_log_rules *rules)
{
	__builtin_memset(rules, 0xff, sizeof(*rules)); /* SL_SLOT_NONE */
}

/* As many of the frame's first bytes as there are, from whichever buffer. */
static __always_inline __u32 sl_log_head(struct xdp_md *ctx, __u32 frame_bytes,
					 __u8 head[SL_LOG_HEAD])
{
	__u32 bytes = frame_bytes < SL_LOG_HEAD ? frame_bytes : SL_LOG_HEAD;

	__builtin_memset((__u64 *)head, 0, SL_LOG_HEAD);
	/* From 1 to SL_LOG_HEAD in the register itself: Linux 6.1 must see it. */
	SL_KEEP(bytes);
	bytes = ((bytes - 1) & (SL_LOG_HEAD - 1)) + 1;
	SL_KEEP(bytes);
	return bpf_xdp_load_bytes(ctx, 0, head, bytes) < 0 ? 0 : bytes;
}

/* Is there room? Asked without the ring's lock, which a flood would contend. */
static __always_inline bool sl_log_has_room(void)
{
	__u64 used = bpf_ringbuf_query(&sl_log, BPF_RB_AVAIL_DATA);

	return used + BPF_RINGBUF_HDR_SZ + sizeof(struct sl_log_record) <=
	       SL_LOG_BYTES;
}

/* False: the ring is full and the sample is lost. */
static __always_inline bool
sl_log_write(struct xdp_md *ctx, const struct sl_log_rules *rules,
	     __u32 frame_bytes, const struct sl_decision *d, __u64 generation)
{
	struct sl_log_record *r;

	if (!sl_log_has_room())
		return false;
	r = bpf_ringbuf_reserve(&sl_log, sizeof(*r), 0);
	if (!r)
		return false;
	r->time_ns = bpf_ktime_get_ns();
	r->generation = generation;
	r->ifindex = ctx->ingress_ifindex;
	r->rx_queue = ctx->rx_queue_index;
	r->frame_bytes = frame_bytes;
	r->head_bytes = sl_log_head(ctx, frame_bytes, r->head);
	r->slot = d->slot;
	r->verdict = d->verdict;
	r->reason = d->reason;
	__builtin_memcpy(r->rule, rules->slot, sizeof(r->rule));
	bpf_ringbuf_submit(r, 0);
	return true;
}

#endif /* SLUICE_XDP_LOG_H */
