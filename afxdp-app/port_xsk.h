/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The sending half of the back end xsk, for port_xsk.c: operations of struct sl_fwd_port_ops, which
 * says what they do, and what else the two halves share.
 */
#ifndef SLUICE_FWD_PORT_XSK_H
#define SLUICE_FWD_PORT_XSK_H

#include "port.h"

/*
 * A zero-copy driver that was just woken runs NAPI first; a second call is wasted. A guess at
 * interrupt and NAPI latency; a smaller one only adds calls, a larger one delays a lost wakeup.
 */
#define QUIET_WOKEN_NS 20000ull

void sl_fwd_xsk_tx_burst(struct sl_fwd_port *port, struct sl_fwd_burst *burst,
			 uint32_t from, uint32_t end, uint64_t now_ns);
void sl_fwd_xsk_reap(struct sl_fwd_port *port);
uint32_t sl_fwd_xsk_pending(const struct sl_fwd_port *port);
void sl_fwd_xsk_kick(struct sl_fwd_port *port, uint64_t now_ns);
/* TX -> FREE: what the kernel has not taken off the TX ring. */
void sl_fwd_xsk_reclaim_tx(struct sl_fwd_port *port);

#endif /* SLUICE_FWD_PORT_XSK_H */
