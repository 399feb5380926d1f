// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "port_copy.h"

void sl_fwd_port_copy_none(struct sl_fwd_port *port)
{
	(void)port;
}

uint32_t sl_fwd_port_copy_pending(const struct sl_fwd_port *port)
{
	(void)port;
	return 0;
}

void sl_fwd_port_copy_kick(struct sl_fwd_port *port, uint64_t now_ns)
{
	(void)port;
	(void)now_ns;
}

bool sl_fwd_port_copy_rx_wake(struct sl_fwd_port *port, uint64_t now_ns)
{
	(void)port;
	(void)now_ns;
	return false;
}

void sl_fwd_port_copy_received(struct sl_fwd_port *port,
			       const struct sl_fwd_burst *burst)
{
	sl_count_add(&port->count.rx_packets, burst->n);
	sl_count_add(&port->count.rx_bytes, burst->bytes);
}

void sl_fwd_port_copy_drop(struct sl_fwd_port *port, enum sl_fwd_drop reason)
{
	sl_count_add(&port->count.rx_packets, 1);
	sl_count_add(&port->count.drops[reason], 1);
}

void sl_fwd_port_copy_sent(struct sl_fwd_port *port,
			   const struct sl_fwd_burst *burst,
			   const struct sl_fwd_packet *packet)
{
	for (uint32_t b = 0; b < packet->n_bufs; b++)
		sl_umem_give(port->umem, burst->buf[packet->first + b].addr,
			     SL_FRAME_STAGE);
	sl_count_add(&port->count.tx_packets, 1);
	sl_count_add(&port->count.tx_bytes, packet->len);
}
