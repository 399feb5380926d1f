/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the program `mix` and its runner share. */
#ifndef SLUICE_BENCH_CLASSIFY_MIX_H
#define SLUICE_BENCH_CLASSIFY_MIX_H

#include <linux/types.h>

#define MIX_ETHERNET_BYTES 14
/* What follows Ethernet: an IPv6 and a TCP header, in one cache line. */
#define MIX_HEADER_BYTES 64
#define MIX_FRAME_BYTES (MIX_ETHERNET_BYTES + MIX_HEADER_BYTES)

/* Programs that a header can be handed to; as many cases in mix.bpf.c. */
#define MIX_SLOTS 8
/* In place of a slot: to the kernel's network stack. */
#define MIX_STACK MIX_SLOTS

struct mix_header {
	__u64 word[MIX_HEADER_BYTES / 8];
};

/* Written by user space between runs. */
struct mix_state {
	__u32 next; /* header, counted up by each packet */
	__u32 mask; /* headers - 1; they are a power of two */
	__u32 slot;
	__u32 pad;
};

#endif /* SLUICE_BENCH_CLASSIFY_MIX_H */
