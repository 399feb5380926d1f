// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "plan.h"

#include <errno.h>
#include <stdlib.h>

static uint32_t min(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t max(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/* Its RX queues, and the TX queues that the other side's RX queues are sent to. */
static uint32_t side_ends(const struct sl_fwd_plan_wire *wire, int side)
{
	uint32_t sends = min(wire->tx[side], wire->rx[!side]);

	return wire->rx[side] > sends ? wire->rx[side] : sends;
}

static void wire_ends(struct sl_fwd_plan *plan,
		      const struct sl_fwd_plan_wire *wire, uint32_t number)
{
	uint32_t first[2] = { plan->n_ends, plan->n_ends + side_ends(wire, 0) };

	for (uint32_t side = 0; side < 2; side++)
		for (uint32_t q = 0; q < side_ends(wire, (int)side); q++)
			plan->ends[plan->n_ends++] = (struct sl_fwd_plan_end){
				.wire = number,
				.side = side,
				.queue = q,
				.peer = first[!side] + q % wire->tx[!side],
				.lane = q,
				.receives = q < wire->rx[side],
			};
	/* An end that only sends has no packets to send on. Its peer is itself. */
	for (uint32_t e = first[0]; e < plan->n_ends; e++)
		if (!plan->ends[e].receives)
			plan->ends[e].peer = e;
}

/* The lowest queue number of those that send to one another names the lane. */
static void lanes_join(struct sl_fwd_plan *plan)
{
	bool again = true;

	/* Each pass lowers a lane or is the last. */
	while (again) {
		again = false;
		for (uint32_t e = 0; e < plan->n_ends; e++) {
			struct sl_fwd_plan_end *end = &plan->ends[e];
			struct sl_fwd_plan_end *peer = &plan->ends[end->peer];

			if (end->lane == peer->lane)
				continue;
			end->lane = peer->lane = min(end->lane, peer->lane);
			again = true;
		}
	}
}

/* Numbers the lanes from 0 without gaps, in their order. */
static void lanes_number(struct sl_fwd_plan *plan)
{
	for (uint32_t number = 0;; number++) {
		uint32_t next = UINT32_MAX;

		for (uint32_t e = 0; e < plan->n_ends; e++)
			if (plan->ends[e].lane >= number)
				next = min(next, plan->ends[e].lane);
		if (next == UINT32_MAX) {
			plan->lanes = number;
			return;
		}
		for (uint32_t e = 0; e < plan->n_ends; e++)
			if (plan->ends[e].lane == next)
				plan->ends[e].lane = number;
	}
}

/* To the workers, in turn. */
static void lanes_deal(struct sl_fwd_plan *plan, uint32_t workers,
		       uint32_t cpus)
{
	plan->workers = min(workers ? workers : cpus, plan->lanes);
	for (uint32_t e = 0; plan->workers && e < plan->n_ends; e++)
		plan->ends[e].worker = plan->ends[e].lane % plan->workers;
}

int sl_fwd_plan_init(struct sl_fwd_plan *plan,
		     const struct sl_fwd_plan_wire *wires, uint32_t n_wires,
		     uint32_t workers, uint32_t cpus)
{
	struct sl_fwd_plan new = { 0 };
	size_t n = 0;

	for (uint32_t w = 0; w < n_wires; w++)
		n += side_ends(&wires[w], 0) + side_ends(&wires[w], 1);
	new.ends = calloc(n + 1, sizeof(*new.ends));
	if (!new.ends)
		return -ENOMEM;
	for (uint32_t w = 0; w < n_wires; w++)
		wire_ends(&new, &wires[w], w);
	lanes_join(&new);
	lanes_number(&new);
	lanes_deal(&new, workers, cpus);
	*plan = new;
	return 0;
}

int sl_fwd_plan_mesh(struct sl_fwd_plan *plan,
		     const struct sl_fwd_plan_iface *ifaces, uint32_t n_ifaces,
		     uint32_t workers, uint32_t cpus)
{
	struct sl_fwd_plan new = { .lanes = n_ifaces ? ifaces[0].tx : 0 };
	size_t n = 0;

	for (uint32_t i = 1; i < n_ifaces; i++)
		new.lanes = min(new.lanes, ifaces[i].tx);
	new.lanes = max(new.lanes, 1);
	for (uint32_t i = 0; i < n_ifaces; i++)
		n += max(ifaces[i].rx, new.lanes);
	new.ends = calloc(n + 1, sizeof(*new.ends));
	if (!new.ends)
		return -ENOMEM;
	for (uint32_t i = 0; i < n_ifaces; i++)
		for (uint32_t q = 0; q < max(ifaces[i].rx, new.lanes); q++) {
			new.ends[new.n_ends] = (struct sl_fwd_plan_end){
				.wire = i / 2,
				.side = i % 2,
				.queue = q,
				.peer = new.n_ends,
				.lane = q % new.lanes,
				.receives = q < ifaces[i].rx,
			};
			new.n_ends++;
		}
	lanes_deal(&new, workers, cpus);
	*plan = new;
	return 0;
}

void sl_fwd_plan_fini(struct sl_fwd_plan *plan)
{
	free(plan->ends);
	*plan = (struct sl_fwd_plan){ 0 };
}
