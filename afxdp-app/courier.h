/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A courier: the thread that carries the copies of one stage, from a spool of each worker to
 * where they go. It may wait, for a disk or a device; the workers never wait for it.
 *
 * It naps for a millisecond when there is nothing, and goes to sleep if there is nothing then.
 * Only one that sleeps is woken by a worker, with a system call; so a worker makes at most
 * a thousand of these a second for it.
 */
#ifndef SLUICE_FWD_COURIER_H
#define SLUICE_FWD_COURIER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "spool.h"

/*
 * Of each worker: 4,096 jumbo frames, or 30 ms of 1 Mpps of small ones, which covers a disk's
 * usual write-back stall of some ten milliseconds. Larger covers longer ones.
 */
#define SL_COURIER_SPOOL (4u << 20)

struct sl_courier {
	struct sl_spool *spools; /* one a worker */
	uint32_t n;
	int wake_fd; /* eventfd */
	bool asleep; /* atomic */
	bool stop;   /* atomic */
	bool started;
	bool stuck; /* the thread could not be ended, and uses all of this still */
	uint64_t end_ns; /* set before `stop`: until when it may carry on */
	/*
	 * Takes some records, carries them and releases them; false if there were none. Runs in
	 * the courier's thread, and ends soon once sl_courier_late().
	 */
	bool (*carry)(void *context, struct sl_spool *spool);
	void *context;
	pthread_t thread;
};

/* `carry` and `context` are set by the caller afterwards. 0 or -errno. */
int sl_courier_init(struct sl_courier *courier, uint32_t n,
		    uint32_t spool_bytes);
void sl_courier_fini(struct sl_courier *courier); /* zeroed is fine */

/* Starts the thread, which gives up all capabilities. 0 or -errno. */
int sl_courier_start(struct sl_courier *courier);

/*
 * After the producers ended: carries what is in the spools for up to a second and ends the
 * thread. What is in them then was not carried. Sets `stuck` where `carry` does not return for a
 * second more, as from a disk that hangs: nothing of it, and of the context, may be freed then.
 */
void sl_courier_stop(struct sl_courier *courier);

/* Producer, after sl_spool_commit(): wakes the courier if it sleeps; true: it did. */
bool sl_courier_wake(struct sl_courier *courier);

/* Courier: the time that sl_courier_stop() gives is over. */
bool sl_courier_late(const struct sl_courier *courier);

#endif /* SLUICE_FWD_COURIER_H */
