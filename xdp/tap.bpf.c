// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copies packets that a loaded filter sees, or drops, to user space, without a change to
 * it: a trampoline before or after its program (fentry, fexit), which is not there unless
 * somebody captures. As xdpdump of xdp-tools does.
 *
 *   tap_entry: every packet, as it came in
 *   tap_exit:  packets that are dropped; a drop changes nothing in them, and no probe is
 *              one
 */
#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "sluice/abi.h"
#include "sluice/tap.h"

#define BPF_F_CTXLEN_SHIFT 32 /* of BPF_F_CTXLEN_MASK, linux/bpf.h */

/* The members that are read; CO-RE finds where they are (net/xdp.h). */
struct xdp_rxq_info {
	__u32 queue_index;
} __attribute__((preserve_access_index));

struct xdp_buff {
	void *data;
	void *data_meta;
	struct xdp_rxq_info *rxq;
} __attribute__((preserve_access_index));

const volatile struct sl_tap_of tap_of;
__u64 tap_lost; /* in .bss, alone: lib/tap.c reads it there */

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} sl_tap SEC(".maps");

/*
 * Is it no packet but the question of `sluice explain`, perhaps that of who reads this
 * very tap? Its nonce is where a driver may have other metadata, or none.
 */
static int is_probe(const struct xdp_buff *xdp)
{
	__u64 nonce = 0;

	if (!tap_of.nonce ||
	    xdp->data_meta + sizeof(struct sl_probe) > xdp->data)
		return 0;
	bpf_probe_read_kernel(&nonce, sizeof(nonce), xdp->data_meta);
	return nonce == tap_of.nonce;
}

static int copy(struct xdp_buff *xdp, int act)
{
	struct sl_tap_record record = { .act = act };
	__u64 flags = BPF_F_CURRENT_CPU;

	if (tap_of.sample > 1 && bpf_get_prandom_u32() % tap_of.sample)
		return 0;
	record.time_ns = bpf_ktime_get_ns();
	record.queue = xdp->rxq->queue_index;
	record.frame_bytes = (__u32)bpf_xdp_get_buff_len((struct xdp_md *)xdp);
	record.captured_bytes = record.frame_bytes < SL_TAP_BYTES ?
					record.frame_bytes :
					SL_TAP_BYTES;
	flags |= (__u64)record.captured_bytes << BPF_F_CTXLEN_SHIFT;
	/* Else the buffer is full: it is missing in the capture, and nowhere else. */
	if (bpf_xdp_output(xdp, &sl_tap, flags, &record, sizeof(record)))
		__sync_fetch_and_add(&tap_lost, 1);
	return 0;
}

SEC("fentry")
int tap_entry(__u64 *context)
{
	struct xdp_buff *xdp = (struct xdp_buff *)context[0];

	return is_probe(xdp) ? 0 : copy(xdp, -1);
}

SEC("fexit")
int tap_exit(__u64 *context)
{
	int act = (int)context[1];

	if (act != XDP_DROP && act != XDP_ABORTED)
		return 0;
	return copy((struct xdp_buff *)context[0], act);
}

char _license[] SEC("license") = "GPL";
