/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * `forwarder { route }`: a packet leaves by the interface that the kernel's FIB named, with
 * the MACs that it gave. The filter asked and put the answer into the packet's metadata
 * (sluice/meta.h); nothing is looked up here.
 *
 * Every interface has a port on each of the first queues, and these are a lane: what came in
 * on a port of a lane leaves by one of its ports (plan.h), so a port still has one writer.
 *
 *     lane 0:  eth1 queue 0   eth2 queue 0   eth3 queue 0      worker 0
 *     lane 1:  eth1 queue 1   eth2 queue 1   eth3 queue 1      worker 1
 */
#ifndef SLUICE_FWD_ROUTE_H
#define SLUICE_FWD_ROUTE_H

#include <stdint.h>

#include "burst.h"
#include "neighbour.h"

struct sl_fwd;

/* Of a lane; the worker's once it runs, but for `used`. */
struct sl_fwd_route {
	uint32_t n; /* interfaces */
	const struct sl_fwd_iface *ifaces;
	struct sl_fwd_port **out; /* the lane's port on each */
	struct sl_fwd_used *used;
};

/* Makes the lanes of fwd->plan, and tells the ports theirs. 0 or -ENOMEM; close either way. */
int sl_fwd_routes_open(struct sl_fwd *fwd);
void sl_fwd_routes_close(struct sl_fwd *fwd);

/*
 * Gives the packets of a burst their outputs and rewrites them: MACs, TTL or hop limit,
 * checksum. One without an answer, or whose interface has no port, is dropped (no_route).
 */
void sl_fwd_route_burst(const struct sl_fwd_route *route,
			struct sl_fwd_burst *burst);

#endif /* SLUICE_FWD_ROUTE_H */
