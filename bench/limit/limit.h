/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What limit.bpf.c and its runner share. */
#ifndef BENCH_LIMIT_H
#define BENCH_LIMIT_H

#include <linux/types.h>

/* The limiter's slot, and the source that is counted apart (198.18.0.1). */
#define LIMIT_SLOT 1
#define LIMIT_HITTER 0xc612000100000000ull

/* Of a CPU. */
struct limit_counts {
	__u64 random; /* not 0: the state of its random sources */
	__u64 hitter_passed, hitter_refused;
	__u64 passed, refused; /* all other sources */
	__u64 pad[3];
};

#endif /* BENCH_LIMIT_H */
