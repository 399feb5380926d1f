/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Between agent and data plane: messages over a Unix socket that keeps their bounds, each of
 * them whole or not at all, with at most one descriptor beside it.
 *
 *   agent -> data plane                    answer
 *   PORTS   what the ports may do          none
 *   TALLY   `tally` of interface `value`   none
 *   MIRROR  stage `first` copies to         none
 *           interface index `value`
 *   PRESSURE `count`: thousandths, of      none
 *           the CPU of worker `value`
 *   STATS   write statistics to the fd     DONE, value: 0 or -errno
 *   STOP    the same, at the end           DONE, value: 1 all frames accounted for, 0 not, or
 *                                          -errno; then the data plane ends
 *   HOLD    write the record to the fd     DONE, value: 0 or -errno; then it ends
 *   ADOPT   go on from the record in       READY
 *           the fd
 *   TURNS   have all workers gone round    DONE, value: -1, or the first that has not
 *           since the last TURNS?
 *
 *   data plane -> agent
 *   STANDBY it has all that it needs to go on where another one stops, but the record
 *   READY   threads run, privileges are gone
 *   REFUSED system call `value` was tried, and is not allowed; the data plane has ended
 *
 * The agent trusts nothing that comes back beyond these numbers: what the data plane writes to
 * a descriptor is text or a record for others to read.
 */
#ifndef SLUICE_FWD_CHANNEL_H
#define SLUICE_FWD_CHANNEL_H

#include <stdint.h>

#include "tally.h"

enum sl_channel_type {
	SL_CHANNEL_PORTS = 1,
	SL_CHANNEL_TALLY,
	SL_CHANNEL_MIRROR,
	SL_CHANNEL_STATS,
	SL_CHANNEL_STOP,
	SL_CHANNEL_HOLD,
	SL_CHANNEL_ADOPT,
	SL_CHANNEL_DONE,
	SL_CHANNEL_STANDBY,
	SL_CHANNEL_READY,
	SL_CHANNEL_REFUSED,
	SL_CHANNEL_PRESSURE,
	SL_CHANNEL_TURNS,
};

/* Ports that one PORTS message tells of; more take more messages. */
#define SL_CHANNEL_PORTS_MAX 256u
#define SL_CHANNEL_LINK 1u     /* in `port`: it can send */
#define SL_CHANNEL_POLL 2u     /* busy polling is to be driven */
#define SL_CHANNEL_SEEN 4u     /* and was seen to be */
#define SL_CHANNEL_DEFERRED 8u /* its interrupts are deferred */

struct sl_channel_message {
	uint32_t type; /* enum sl_channel_type */
	int32_t value; /* STATS, STOP: 1 for JSON */
	uint64_t count;
	uint32_t first, n; /* PORTS: ends of the plan, from `first` on */
	union {
		uint8_t port[SL_CHANNEL_PORTS_MAX];
		struct sl_fwd_tally tally;
	};
};

/* Two ends, close-on-exec. 0 or -errno. */
int sl_channel_open(int ends[2]);

/* With descriptor `fd` beside it, unless that is -1; it stays the caller's. 0 or -errno. */
int sl_channel_send(int end, const struct sl_channel_message *message, int fd);

/*
 * Waits at most `timeout_ms` (-1: without a bound) for a message. *fd: the descriptor that
 * came with it, the caller's to close; -1: none. `fd` NULL: one that comes is closed. 0,
 * -ETIMEDOUT, -EPIPE (the other end is closed), -EPROTO, or another -errno.
 */
int sl_channel_receive(int end, int timeout_ms,
		       struct sl_channel_message *message, int *fd);

#endif /* SLUICE_FWD_CHANNEL_H */
