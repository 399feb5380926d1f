/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the filter (BPF) and user space share of `limit` rules. Three maps, kept
 * across reloads and shared by the interfaces of one configuration:
 *
 *   name            kind           key         value
 *   sl_limiters     ARRAY, ro      slot        sl_limiter
 *   sl_limit_cpus   PERCPU_ARRAY   slot        sl_limit_cpu
 *   sl_limit_lines  ARRAY, mmap    line        sl_limit_line
 *
 * "ro" is BPF_F_RDONLY_PROG. sl_limit_lines is mmapable for its alignment: a
 * line is then a cache line. xdp/limit.h says how it works; lib/limiter.h fills
 * the first.
 */
#ifndef SLUICE_LIMIT_H
#define SLUICE_LIMIT_H

#include <linux/types.h>

/* Limiters kept at once, of the running generation and of the next. */
#define SL_LIMITERS_MAX 128

/* Buckets in a line. */
#define SL_LIMIT_WAYS 8

/*
 * A bucket of a limiter `per source`: a tag of the source above the time, in
 * the limiter's units, up to which it is in debt.
 */
#define SL_LIMIT_TIME_BITS 40
#define SL_LIMIT_TIME_MASK ((1ull << SL_LIMIT_TIME_BITS) - 1)

/* One cache line, so that a packet touches one. */
struct sl_limit_line {
	__u64 way[SL_LIMIT_WAYS]; /* not per source: way[0], ns, no tag */
};

/* What a CPU knows of a limiter. No other CPU writes it. */
struct sl_limit_cpu {
	__u64 credit;	/* tokens claimed and not spent; not per source */
	__u64 retry_ns; /* until then no claim can succeed; not per source */
	__u64 now_ns;	/* the clock as last read, */
	__u64 jiffies;	/* when that was, */
	__u32 left;	/* for how many packets more it will do, */
	__u32 quota;	/* and how many these were at first */
	__u64 evicted;	/* buckets given away with a debt in them; per source */
	__u64 pad[2];
};

#define SL_LIMIT_BYTES 1u /* a token is a byte of the frame, else a packet */
#define SL_LIMIT_PER_SOURCE 2u /* one bucket a source prefix, else one in all */

/*
 * A limiter's constants. Times are in ns, or per source in units of
 * 2^unit_shift / 16 ns. n tokens cost (n * mult) >> cost_shift.
 */
struct sl_limiter {
	char name[64]; /* the rule's; "": the slot is free */
	__u64 mult;
	__u64 reach;	/* the burst as a time: the most debt there may be */
	__u64 window;	/* per source: the most debt that can be seen */
	__u64 stale_ns; /* by how much the clock may lag */
	__u64 batch;	/* the least tokens that a CPU claims at once */
	__u64 batch_cost;
	__u64 mask6[2]; /* of a source, as in struct sl_packet */
	__u64 mask4;
	__u64 key; /* secret, odd: of the hash of sources */
	__u32 keys[4];
	__u32 flags; /* SL_LIMIT_* */
	__u32 cost_shift;
	__u32 unit_shift;
	__u32 line;	  /* the first of its lines */
	__u32 line_shift; /* 64 - log2 of the number of its lines */
	__u32 source4_bits, source6_bits;
	__u32 pad;
	__u64 rate;  /* what it was made from: packets or bits a second, */
	__u64 burst; /* packets or bytes */
};

_Static_assert(sizeof(struct sl_limit_line) == 64, "a line is a cache line");
_Static_assert(sizeof(struct sl_limit_cpu) == 64, "sl_limit_cpu is 64 bytes");
_Static_assert(sizeof(struct sl_limiter) == 208, "sl_limiter is 208 bytes");

#endif /* SLUICE_LIMIT_H */
