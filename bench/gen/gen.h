/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the generator's program (gen.bpf.c) and its user space share. One
 * instance of the program is loaded per sending thread, so nothing here is
 * per-CPU and nothing needs an atomic: one thread runs the program, the others
 * only read `attempted` and `bytes`.
 */
#ifndef SLUICE_GEN_H
#define SLUICE_GEN_H

#include <linux/types.h>

/* Ethernet 14, one tag 4, IPv6 40, TCP 20. */
#define GEN_HEAD_MAX 78
#define GEN_HEAD_WORDS ((GEN_HEAD_MAX + 7) / 8)

/* The fields that may vary from packet to packet. */
enum gen_field { GEN_SRC, GEN_DST, GEN_SPORT, GEN_DPORT, GEN_FIELDS };

/*
 * A field takes the values base .. base + last. For IPv6 these are the low 64
 * bits of the address; the high ones stand in the header. Host order.
 */
struct gen_range {
	__u64 base;
	__u64 last; /* so that 2^64 values can be said; 0: the field is fixed */
};

/*
 * Constants of one program instance, in .rodata: the verifier cuts what this
 * configuration does not use.
 */
struct gen_config {
	/* The headers, with each varying field and the checksums at zero. */
	__u64 head[GEN_HEAD_WORDS];
	struct gen_range range[GEN_FIELDS];
	/* Sums of 16-bit words as they lie in memory, see checksum.h. */
	__u32 ip_sum; /* IPv4 header, without varying fields */
	__u32 l4_sum; /* pseudo header, L4 header, payload; likewise */
	__u32 head_bytes;
	__u32 l3; /* offsets into the frame */
	__u32 l4;
	__u32 l4_check;
	__u32 ip6;    /* 1: IPv6, 0: IPv4 */
	__u32 udp;    /* 1: a checksum of 0 is sent as 0xffff (RFC 768, 8200) */
	__u32 random; /* 1: draw each value, 0: count up */
	__u32 first;  /* counting: thread t of T starts at t and steps by T */
	__u32 step;
	__u32 frames; /* replay: how many; 0: no replay */
	__u32 frame_bytes; /* replay: the longest one = the size of the run's input */
	__u32 pad;
};

/* One frame to be replayed, the value of map `frames`. */
struct gen_frame {
	__u32 length;
	__u8 bytes[]; /* gen_config.frame_bytes of them */
};

/* Variables of one program instance, in .bss. */
struct gen_state {
	__u64 attempted; /* frames handed to the device */
	__u64 bytes;
	__u64 pos[GEN_FIELDS];
	__u64 seed; /* never 0 */
	__u32 next; /* replay */
	__u32 pad;
};

_Static_assert(sizeof(struct gen_config) ==
		       8 * GEN_HEAD_WORDS + 16 * GEN_FIELDS + 56,
	       "no hidden padding in gen_config");
_Static_assert(sizeof(struct gen_state) == 16 + 8 * GEN_FIELDS + 16,
	       "no hidden padding in gen_state");

#endif /* SLUICE_GEN_H */
