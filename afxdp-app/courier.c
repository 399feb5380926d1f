// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "courier.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* Gathers a few packets a wakeup at 10 kpps; adds as much to a mirror's latency. */
#define NAP_NS 1000000l
/* Only for the case that a wakeup was lost; none is known. */
#define SLEEP_MS 1000
/* How long an operator waits for a stop: as long as for the workers' drain. */
#define END_NS 1000000000ull
/* One carry after that: 100 ms for a device, a disk's stall. Who takes longer may take for ever. */
#define STUCK_NS 1000000000ull
/* How often it is looked whether the thread has ended. */
#define JOIN_NS 1000000l

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

int sl_courier_init(struct sl_courier *courier, uint32_t n,
		    uint32_t spool_bytes)
{
	struct sl_courier new = { .n = n };
	size_t bytes = n * sizeof(*new.spools);
	int err;

	new.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (new.wake_fd < 0)
		return -errno;
	new.spools = aligned_alloc(SL_SPOOL_LINE, bytes);
	if (!new.spools) {
		close(new.wake_fd);
		return -ENOMEM;
	}
	memset(new.spools, 0, bytes);
	for (uint32_t i = 0; i < n; i++) {
		err = sl_spool_init(&new.spools[i], spool_bytes);
		if (err) {
			sl_courier_fini(&new);
			return err;
		}
	}
	*courier = new;
	return 0;
}

void sl_courier_fini(struct sl_courier *courier)
{
	if (!courier->spools)
		return;
	for (uint32_t i = 0; i < courier->n; i++)
		sl_spool_fini(&courier->spools[i]);
	free(courier->spools);
	close(courier->wake_fd);
	memset(courier, 0, sizeof(*courier));
}

static bool all_empty(const struct sl_courier *courier)
{
	for (uint32_t i = 0; i < courier->n; i++)
		if (!sl_spool_empty(&courier->spools[i]))
			return false;
	return true;
}

static bool stopping(const struct sl_courier *courier)
{
	return __atomic_load_n(&courier->stop, __ATOMIC_ACQUIRE);
}

bool sl_courier_late(const struct sl_courier *courier)
{
	return stopping(courier) && clock_ns() >= courier->end_ns;
}

/*
 * We store `asleep` and then look at the heads; a worker stores its head and then looks at
 * `asleep`. All four are sequentially consistent, so at least one sees the other's store.
 */
static void courier_sleep(struct sl_courier *courier)
{
	struct pollfd wake = { .fd = courier->wake_fd, .events = POLLIN };
	eventfd_t value;

	nanosleep(&(struct timespec){ .tv_nsec = NAP_NS }, NULL);
	__atomic_store_n(&courier->asleep, true, __ATOMIC_SEQ_CST);
	if (all_empty(courier) && !stopping(courier))
		poll(&wake, 1, SLEEP_MS);
	__atomic_store_n(&courier->asleep, false, __ATOMIC_SEQ_CST);
	eventfd_read(courier->wake_fd, &value);
}

bool sl_courier_wake(struct sl_courier *courier)
{
	if (!__atomic_load_n(&courier->asleep, __ATOMIC_SEQ_CST))
		return false;
	/* Another worker may see it, too, and wakes once more: no harm. */
	__atomic_store_n(&courier->asleep, false, __ATOMIC_SEQ_CST);
	eventfd_write(courier->wake_fd, 1);
	return true;
}

static void *courier_thread(void *context)
{
	struct sl_courier *courier = context;

	while (!sl_courier_late(courier)) {
		/* Looked at first: what was handed over before a stop is then seen below. */
		bool last = stopping(courier), some = false;

		for (uint32_t i = 0; i < courier->n; i++)
			if (courier->carry(courier->context,
					   &courier->spools[i]))
				some = true;
		if (some)
			continue;
		if (last)
			break;
		courier_sleep(courier);
	}
	return NULL;
}

int sl_courier_start(struct sl_courier *courier)
{
	int err =
		pthread_create(&courier->thread, NULL, courier_thread, courier);

	courier->started = !err;
	return -err;
}

/*
 * False: it has not ended in time. No signal reaches a thread that waits for a file system, and
 * the forwarder has frames to account for and sockets to close meanwhile.
 */
static bool thread_join(const struct sl_courier *courier)
{
	while (pthread_tryjoin_np(courier->thread, NULL)) {
		if (clock_ns() >= courier->end_ns + STUCK_NS)
			return false;
		nanosleep(&(struct timespec){ .tv_nsec = JOIN_NS }, NULL);
	}
	return true;
}

void sl_courier_stop(struct sl_courier *courier)
{
	if (!courier->started)
		return;
	courier->end_ns = clock_ns() + END_NS;
	__atomic_store_n(&courier->stop, true, __ATOMIC_RELEASE);
	eventfd_write(courier->wake_fd, 1);
	courier->stuck = !thread_join(courier);
	courier->started = false;
}
