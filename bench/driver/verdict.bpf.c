// SPDX-License-Identifier: GPL-2.0-only
/* What bench/driver.py attaches: one program a verdict, each the least that gives it. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} sockets SEC(".maps");

SEC("xdp")
int verdict_drop(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_DROP;
}

SEC("xdp")
int verdict_tx(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_TX;
}

/* To where it came from: ndo_xdp_xmit() of the driver that is measured. */
SEC("xdp")
int verdict_redirect(struct xdp_md *ctx)
{
	return bpf_redirect(ctx->ingress_ifindex, 0);
}

SEC("xdp")
int verdict_socket(struct xdp_md *ctx)
{
	return bpf_redirect_map(&sockets, ctx->rx_queue_index, XDP_DROP);
}

char LICENSE[] SEC("license") = "GPL";
