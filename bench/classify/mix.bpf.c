// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes of the one packet that BPF_PROG_TEST_RUN has as many as a table holds:
 * each run takes the next header, writes it behind the Ethernet header and
 * goes on into the program to be measured by a tail call. What this costs is the
 * same for an empty program, which is what the others are compared with.
 *
 * The words begin at the IP header, so every field up to 8 bytes long that a
 * filter reads lies within one word written: a load that spans two recent
 * stores must wait for both, which no packet from a NIC makes it do.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bench/classify/mix.h"

char LICENSE[] SEC("license") = "GPL";

/* The number of headers is set before loading. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct mix_header);
} headers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, MIX_SLOTS);
	__type(key, __u32);
	__type(value, __u32);
} programs SEC(".maps");

struct mix_state state;

/* With a constant index the kernel makes a tail call a direct jump. */
#define TAIL_CALL(n)                                     \
	case n:                                          \
		bpf_tail_call_static(ctx, &programs, n); \
		break

static __always_inline void hand_on(struct xdp_md *ctx)
{
	switch (state.slot) {
		TAIL_CALL(0);
		TAIL_CALL(1);
		TAIL_CALL(2);
		TAIL_CALL(3);
		TAIL_CALL(4);
		TAIL_CALL(5);
		TAIL_CALL(6);
		TAIL_CALL(7);
	}
}

SEC("xdp")
int mix_xdp(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	__u64 *to = data + MIX_ETHERNET_BYTES;
	const struct mix_header *header;
	__u32 key = state.next++ & state.mask;

	header = bpf_map_lookup_elem(&headers, &key);
	if (!header || data + MIX_FRAME_BYTES > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
#pragma GCC unroll 8
	for (int i = 0; i < MIX_HEADER_BYTES / 8; i++)
		to[i] = header->word[i];
	if (state.slot == MIX_STACK)
		return XDP_PASS;
	hand_on(ctx);
	return XDP_ABORTED; /* an empty slot: the runner fails */
}
