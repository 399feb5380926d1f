/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the back ends that copy packets have in common: no rings in the UMEM, so there is nothing
 * to fill, to reap or to kick, and a frame is FREE as soon as its packet was sent.
 */
#ifndef SLUICE_FWD_PORT_COPY_H
#define SLUICE_FWD_PORT_COPY_H

#include "port.h"

/* Operations of struct sl_fwd_port_ops that do nothing. */
void sl_fwd_port_copy_none(struct sl_fwd_port *port); /* reap, refill, reclaim */
uint32_t sl_fwd_port_copy_pending(const struct sl_fwd_port *port);
void sl_fwd_port_copy_kick(struct sl_fwd_port *port, uint64_t now_ns);
bool sl_fwd_port_copy_rx_wake(struct sl_fwd_port *port, uint64_t now_ns);

/* Ends a rx_burst: counts what is in the burst. */
void sl_fwd_port_copy_received(struct sl_fwd_port *port,
			       const struct sl_fwd_burst *burst);
/* Counts a packet that came in and is in no burst. */
void sl_fwd_port_copy_drop(struct sl_fwd_port *port, enum sl_fwd_drop reason);
/* STAGE -> FREE: the packet was sent, and is counted. */
void sl_fwd_port_copy_sent(struct sl_fwd_port *port,
			   const struct sl_fwd_burst *burst,
			   const struct sl_fwd_packet *packet);

#endif /* SLUICE_FWD_PORT_COPY_H */
