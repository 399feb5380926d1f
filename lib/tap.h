/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A tap on one loaded filter: the packets that it sees or drops, whole, as they come
 * (xdp/tap.bpf.c). Its own pair of programs: the filter is not touched, and is as fast as
 * before when the tap is closed.
 */
#ifndef SLUICE_LIB_TAP_H
#define SLUICE_LIB_TAP_H

#include <stdbool.h>
#include <stdint.h>

#include "sluice/tap.h"

struct sl_error;
struct sl_filter;
struct sl_tap;

/* The packet and its bytes are valid during the call. Not 0 ends reading. */
typedef int (*sl_tap_reader)(void *context, const struct sl_tap_record *record,
			     const uint8_t *bytes);

struct sl_tap_wish {
	bool entry; /* every packet as it comes in; else those that are dropped */
	uint32_t sample; /* one in so many; 0, 1: every one */
	sl_tap_reader reader;
	void *context;
};

/*
 * 0 and the caller closes *tap; -EOPNOTSUPP with a message when the kernel lets nobody tap a
 * program (no BTF, no trampolines on this architecture, or it refuses them), or another
 * -errno with one.
 */
int sl_tap_open(const struct sl_filter *filter, const struct sl_tap_wish *wish,
		struct sl_tap **tap, struct sl_error *error);

/* Readable when there are packets to read. */
int sl_tap_fd(const struct sl_tap *tap);

/*
 * Reads what is there, without waiting. 0, what the reader returned if not 0 (the rest of
 * that CPU's packets is read by the next call), or -errno.
 */
int sl_tap_read(struct sl_tap *tap);

/* Packets that found the buffer full, so far. */
uint64_t sl_tap_lost(const struct sl_tap *tap);

void sl_tap_close(struct sl_tap *tap); /* NULL is fine */

#endif /* SLUICE_LIB_TAP_H */
