/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The back end for pcap files of Ethernet frames: what is received comes from one, what is sent
 * goes to another. For tests and replay: reading and writing may wait for the disk.
 */
#ifndef SLUICE_FWD_PORT_PCAP_H
#define SLUICE_FWD_PORT_PCAP_H

#include <stdbool.h>

#include "port.h"

/*
 * Opens them and sets port->ops. A NULL path: nothing is received, or what is sent is dropped as
 * link_down. 0 or -errno (-EPROTONOSUPPORT: not Ethernet, -EINVAL: not a pcap file); then
 * the port is as it was. Needs no privilege.
 */
int sl_fwd_port_pcap_open(struct sl_fwd_port *port, const char *in,
			  const char *out);

/* Whether everything was read, or can be read no further. */
bool sl_fwd_port_pcap_ended(const struct sl_fwd_port *port);

#endif /* SLUICE_FWD_PORT_PCAP_H */
