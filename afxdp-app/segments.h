/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a driver's zero-copy takes of a packet of several buffers. Any thread. */
#ifndef SLUICE_FWD_SEGMENTS_H
#define SLUICE_FWD_SEGMENTS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Buffers that a packet may take in zero-copy mode (netdev-genl, xdp-zc-max-segs: Linux 6.6);
 * 0: not told, as by a driver without zero-copy.
 */
uint32_t sl_fwd_segments_read(int ifindex);

/* Buffers that a packet of this MTU takes, with two VLAN tags: at least 1. */
uint32_t sl_fwd_segments_wanted(uint32_t mtu);

/* The highest MTU whose packets take no more than `segments` buffers. */
uint32_t sl_fwd_segments_mtu(uint32_t segments);

#endif /* SLUICE_FWD_SEGMENTS_H */
