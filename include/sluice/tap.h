/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What xdp/tap.bpf.c hands to lib/tap.c, and is told by it. */
#ifndef SLUICE_TAP_H
#define SLUICE_TAP_H

#include <linux/types.h>

/*
 * Bytes of a packet at most: a perf record, this included, has less than 64 KiB
 * (struct perf_event_header has 16 bits for its size).
 */
#define SL_TAP_BYTES 0xf000u

/* Frozen before the program is loaded. */
struct sl_tap_of {
	__u64 nonce;  /* of the filter's probes (struct sl_probe); 0: none */
	__u32 sample; /* one packet in so many; 0 and 1: every one */
	__u32 pad;
};

/* The packet's bytes follow. */
struct sl_tap_record {
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u32 queue;
	__u32 frame_bytes;
	__u32 captured_bytes;
	__s32 act; /* enum xdp_action; -1: not decided yet */
};

_Static_assert(sizeof(struct sl_tap_record) == 24,
	       "struct sl_tap_record is 24 bytes");

#endif /* SLUICE_TAP_H */
