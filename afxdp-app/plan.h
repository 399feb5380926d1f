/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which (interface, queue) has a socket, where its packets leave, and which worker owns it.
 * A pure function of the queue counts.
 *
 * Every RX queue of both sides of a wire has a socket, so no flow is hashed past the
 * forwarder. What arrives on queue q leaves by queue q mod (the other side's TX queues):
 * a TX queue that is not in use would send nothing and not say so. A port has one writer, so
 * all ends that send to one another belong to one worker: a lane. Lanes are dealt to the
 * workers in turn.
 */
#ifndef SLUICE_FWD_PLAN_H
#define SLUICE_FWD_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sl_fwd_plan_wire {
	uint32_t rx[2], tx[2]; /* queues of side 0 and 1; at least 1 each */
};

struct sl_fwd_plan_end {
	uint32_t wire, side, queue;
	uint32_t peer; /* index of the end where its packets leave */
	uint32_t lane, worker;
	bool receives; /* has an RX queue; else it only sends */
};

struct sl_fwd_plan {
	struct sl_fwd_plan_end *ends;
	uint32_t n_ends;
	uint32_t lanes, workers; /* workers <= lanes, so each has work */
};

struct sl_fwd_plan_iface {
	uint32_t rx, tx; /* queues, at least 1 each */
};

/*
 * The same for `route`, where a packet may leave by any interface: there are as many lanes as
 * the interface with the fewest TX queues has, lane l sends by queue l of each, and receives on
 * its queues l, l + lanes, ... Interface i is side i % 2 of wire i / 2; `peer` is the end itself.
 */
int sl_fwd_plan_mesh(struct sl_fwd_plan *plan,
		     const struct sl_fwd_plan_iface *ifaces, uint32_t n_ifaces,
		     uint32_t workers, uint32_t cpus);

/* `workers` 0: one a lane, but at most `cpus`. 0 or -ENOMEM; free with sl_fwd_plan_fini(). */
int sl_fwd_plan_init(struct sl_fwd_plan *plan,
		     const struct sl_fwd_plan_wire *wires, uint32_t n_wires,
		     uint32_t workers, uint32_t cpus);
void sl_fwd_plan_fini(struct sl_fwd_plan *plan);

#endif /* SLUICE_FWD_PLAN_H */
