// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * head and tail count bytes and never wrap; their low bits are the place in the area. A
 * record is contiguous: where it does not fit before the area's end, a record of length SKIP
 * tells the consumer to go on at the beginning. All is in units of 8 bytes, so there is always
 * room for that word.
 */
#include "spool.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define UNIT 8u
#define SKIP UINT32_MAX

static uint64_t units(uint64_t bytes)
{
	return (bytes + UNIT - 1) & ~(uint64_t)(UNIT - 1);
}

int sl_spool_init(struct sl_spool *spool, uint32_t bytes)
{
	/* Populated: the worker is not to take page faults. */
	void *area = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (area == MAP_FAILED)
		return -ENOMEM;
	*spool = (struct sl_spool){ .area = area, .mask = bytes - 1 };
	return 0;
}

void sl_spool_fini(struct sl_spool *spool)
{
	if (spool->area)
		munmap(spool->area, spool->mask + 1);
	memset(spool, 0, sizeof(*spool));
}

static void length_write(struct sl_spool *spool, uint64_t at, uint32_t bytes)
{
	memcpy(spool->area + (at & spool->mask), &bytes, sizeof(bytes));
}

void *sl_spool_reserve(struct sl_spool *spool, uint32_t bytes)
{
	uint64_t size = spool->mask + 1;
	uint64_t need = UNIT + units(bytes);
	uint64_t to_end = size - (spool->written & spool->mask);
	uint64_t skip = need > to_end ? to_end : 0;
	uint64_t end = spool->written + skip + need;
	uint64_t at;

	if (end - spool->tail_seen > size) {
		/* A, matches A' */
		spool->tail_seen =
			__atomic_load_n(&spool->tail, __ATOMIC_ACQUIRE);
		if (end - spool->tail_seen > size)
			return NULL;
	}
	if (skip)
		length_write(spool, spool->written, SKIP);
	at = spool->written + skip;
	length_write(spool, at, bytes);
	spool->written = end;
	return spool->area + (at & spool->mask) + UNIT;
}

void sl_spool_commit(struct sl_spool *spool)
{
	/* B, matches B' */
	__atomic_store_n(&spool->head, spool->written, __ATOMIC_SEQ_CST);
}

const void *sl_spool_take(struct sl_spool *spool, uint32_t *bytes)
{
	uint64_t at = spool->taken;
	uint32_t length;

	/* B', matches B */
	if (at == __atomic_load_n(&spool->head, __ATOMIC_ACQUIRE))
		return NULL;
	memcpy(&length, spool->area + (at & spool->mask), sizeof(length));
	if (length == SKIP) {
		/* What follows a SKIP was committed with it. */
		at = (at | spool->mask) + 1;
		memcpy(&length, spool->area, sizeof(length));
	}
	spool->taken = at + UNIT + units(length);
	*bytes = length;
	return spool->area + (at & spool->mask) + UNIT;
}

void sl_spool_release(struct sl_spool *spool)
{
	/* A', matches A */
	__atomic_store_n(&spool->tail, spool->taken, __ATOMIC_RELEASE);
}

bool sl_spool_empty(const struct sl_spool *spool)
{
	return spool->taken == __atomic_load_n(&spool->head, __ATOMIC_SEQ_CST);
}
