// SPDX-License-Identifier: GPL-2.0-only
/* The least an XDP program can do to send a packet back: what `bounce` is measured against. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int bench_tx(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_TX;
}

char LICENSE[] SEC("license") = "GPL";
