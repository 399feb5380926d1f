// SPDX-License-Identifier: GPL-2.0-only
/* The least an XDP program can do to hand a packet to the device in `to`; against `redirect`. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} to SEC(".maps");

SEC("xdp")
int bench_redirect(struct xdp_md *ctx)
{
	(void)ctx;
	return bpf_redirect_map(&to, 0, XDP_DROP);
}

char LICENSE[] SEC("license") = "GPL";
