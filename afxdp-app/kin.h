/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How interfaces of this network namespace hang together: the two ends of a veth pair, a VLAN
 * or macvlan on its lower device, a member of a bridge or bond. Main thread, no capability.
 */
#ifndef SLUICE_FWD_KIN_H
#define SLUICE_FWD_KIN_H

#include <stdbool.h>

/*
 * Whether what is sent on one of the two may come in on the other, or leaves by it, as far
 * as one step of the above tells. 0 or -errno (-ENODEV: one of them is not there), and *kin
 * is unchanged.
 */
int sl_fwd_kin(int ifindex_a, int ifindex_b, bool *kin);

#endif /* SLUICE_FWD_KIN_H */
