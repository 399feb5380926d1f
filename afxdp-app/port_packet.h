/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The back end for an interface without AF_XDP: an AF_PACKET socket.
 *
 * It sees what the kernel's stack sees: a packet that an XDP program took is not received, and one
 * that is received goes to the stack as well. So it is for interfaces whose stack nobody talks
 * to (a tap, a veth of its own), and no wire falls back to it by itself.
 */
#ifndef SLUICE_FWD_PORT_PACKET_H
#define SLUICE_FWD_PORT_PACKET_H

#include "port.h"

/*
 * Opens it and sets port->ops. Receives what the interface receives, not what it sends. 0 or
 * -errno; then the port is as it was. Needs CAP_NET_RAW.
 */
int sl_fwd_port_packet_open(struct sl_fwd_port *port, int ifindex);

#endif /* SLUICE_FWD_PORT_PACKET_H */
