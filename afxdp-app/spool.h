/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A spool: a ring of records through which one thread hands copies to one other thread.
 * Neither waits for the other: a producer that finds no room is told so.
 *
 *     producer                                  consumer
 *     reserve: is there room?    A  (tail)      take: is there a record?   B' (head)
 *     write the record                          read the record
 *     commit                     B  (head)      release                    A' (tail)
 *
 * B matches B': who sees the head sees the records before it. A' matches A: who sees the
 * tail may overwrite what was before it. B and sl_spool_empty() are sequentially consistent as
 * well, for the sleep of courier.h.
 */
#ifndef SLUICE_FWD_SPOOL_H
#define SLUICE_FWD_SPOOL_H

#include <stdbool.h>
#include <stdint.h>

#define SL_SPOOL_LINE 64 /* bytes of a cache line */

struct sl_spool {
	uint8_t *area;
	uint64_t mask; /* size - 1, a power of two */
	/* The producer's: how far it has written, and the tail as it last saw it. */
	uint64_t written __attribute__((aligned(SL_SPOOL_LINE)));
	uint64_t tail_seen;
	/* The consumer's: how far it has read. */
	uint64_t taken __attribute__((aligned(SL_SPOOL_LINE)));
	uint64_t head __attribute__((aligned(SL_SPOOL_LINE)));
	uint64_t tail __attribute__((aligned(SL_SPOOL_LINE)));
};

/* Reserves and touches the memory: `bytes`, a power of two. 0 or -ENOMEM. */
int sl_spool_init(struct sl_spool *spool, uint32_t bytes);
void sl_spool_fini(
	struct sl_spool *spool); /* one that was only zeroed is fine */

/*
 * Producer: room for a record, 8-byte aligned, to be filled before sl_spool_commit(); NULL
 * if there is none. `bytes` is at most half the spool.
 */
void *sl_spool_reserve(struct sl_spool *spool, uint32_t bytes);

/* Producer: hands over all records reserved so far. */
void sl_spool_commit(struct sl_spool *spool);

/* Consumer: the next record, valid until sl_spool_release(); NULL: there is none. */
const void *sl_spool_take(struct sl_spool *spool, uint32_t *bytes);

/* Consumer: gives all records taken so far back. */
void sl_spool_release(struct sl_spool *spool);

/* Consumer: nothing to take. */
bool sl_spool_empty(const struct sl_spool *spool);

#endif /* SLUICE_FWD_SPOOL_H */
