/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The ledger of packets: what a device received is what the filter saw; what that directed to
 * the sockets of the interface is what the forwarder received there, what the kernel lost in
 * between and said so, and what still waits; what was received is what was sent and what
 * was dropped; what was sent is among what the device sent.
 *
 *   nic, seen, unseen, forwarded    tally.h
 *   lost         XDP_STATISTICS: no frame in the fill ring (rx_dropped), RX ring full
 *   waiting      on the RX rings
 *   unexplained  what is left over: 0. Under traffic the counts are read one after the other, and
 *                this may be off by what came in between; when it has come to rest it is exact
 *
 * `unseen` is no part of it: the ledger is of what was forwarded. Nor is what the device counts:
 * other packets are in it, and it means something else from driver to driver.
 *
 * Data plane's main thread.
 */
#ifndef SLUICE_FWD_LEDGER_H
#define SLUICE_FWD_LEDGER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct sl_fwd;
struct sl_fwd_tally;

struct sl_fwd_side {
	const struct sl_fwd_tally *tally;
	uint64_t received, lost, waiting;
	uint64_t sent;	     /* by this interface, whichever received it */
	int64_t unexplained; /* 0 where the filter does not count */
};

struct sl_fwd_balance {
	uint64_t received, sent, dropped;
	int64_t unexplained; /* of all, with those of the sides */
};

/* Of one interface, an index among fwd's. */
void sl_fwd_ledger_side(const struct sl_fwd *fwd, uint32_t iface,
			struct sl_fwd_side *side);

void sl_fwd_ledger_balance(const struct sl_fwd *fwd,
			   struct sl_fwd_balance *balance);

/* As statistics print it; NULL without memory. */
json_t *sl_fwd_ledger_json(const struct sl_fwd *fwd);
void sl_fwd_ledger_text(const struct sl_fwd *fwd, FILE *out);

#endif /* SLUICE_FWD_LEDGER_H */
