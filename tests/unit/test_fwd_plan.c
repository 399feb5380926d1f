// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Which queue sends where and who owns it, over all small queue counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "afxdp-app/plan.h"

static void one_queue(void **state)
{
	const struct sl_fwd_plan_wire wire = { { 1, 1 }, { 1, 1 } };
	struct sl_fwd_plan plan;

	(void)state;
	assert_int_equal(sl_fwd_plan_init(&plan, &wire, 1, 0, 2), 0);
	assert_int_equal(plan.n_ends, 2);
	assert_int_equal(plan.workers, 1);
	assert_int_equal(plan.ends[0].peer, 1);
	assert_int_equal(plan.ends[1].peer, 0);
	sl_fwd_plan_fini(&plan);
}

static void deals_queues_in_turn(void **state)
{
	const struct sl_fwd_plan_wire wire = { { 5, 5 }, { 5, 5 } };
	struct sl_fwd_plan plan;

	(void)state;
	assert_int_equal(sl_fwd_plan_init(&plan, &wire, 1, 2, 8), 0);
	assert_int_equal(plan.workers, 2);
	for (uint32_t e = 0; e < plan.n_ends; e++)
		assert_int_equal(plan.ends[e].worker, plan.ends[e].queue % 2);
	sl_fwd_plan_fini(&plan);
}

static void auto_is_bounded_by_cpus_and_queues(void **state)
{
	const struct sl_fwd_plan_wire wire = { { 4, 4 }, { 4, 4 } };
	struct sl_fwd_plan plan;

	(void)state;
	assert_int_equal(sl_fwd_plan_init(&plan, &wire, 1, 0, 3), 0);
	assert_int_equal(plan.workers, 3);
	sl_fwd_plan_fini(&plan);
	assert_int_equal(sl_fwd_plan_init(&plan, &wire, 1, 0, 64), 0);
	assert_int_equal(plan.workers, 4);
	sl_fwd_plan_fini(&plan);
	assert_int_equal(sl_fwd_plan_init(&plan, &wire, 1, 9, 64), 0);
	assert_int_equal(plan.workers, 4);
	sl_fwd_plan_fini(&plan);
}

static void single_tx_queue_makes_one_lane(void **state)
{
	const struct sl_fwd_plan_wire wire = { { 4, 1 }, { 4, 1 } };
	struct sl_fwd_plan plan;

	(void)state;
	assert_int_equal(sl_fwd_plan_init(&plan, &wire, 1, 4, 4), 0);
	assert_int_equal(plan.n_ends, 5);
	assert_int_equal(plan.lanes, 1);
	assert_int_equal(plan.workers, 1);
	sl_fwd_plan_fini(&plan);
}

/* An end that only sends has no packets of its own, so it ties no lanes together. */
static void sending_ends_join_nothing(void **state)
{
	const struct sl_fwd_plan_wire wire = { { 1, 4 }, { 4, 1 } };
	struct sl_fwd_plan plan;

	(void)state;
	assert_int_equal(sl_fwd_plan_init(&plan, &wire, 1, 0, 8), 0);
	assert_int_equal(plan.n_ends, 8);
	assert_int_equal(plan.lanes, 4);
	sl_fwd_plan_fini(&plan);
}

/* What must hold of any plan. */
static void plan_check(const struct sl_fwd_plan *plan,
		       const struct sl_fwd_plan_wire *wires, uint32_t n_wires)
{
	uint32_t receiving = 0, expected = 0;
	bool has_work[64] = { false };

	for (uint32_t e = 0; e < plan->n_ends; e++) {
		const struct sl_fwd_plan_end *end = &plan->ends[e];
		const struct sl_fwd_plan_end *peer = &plan->ends[end->peer];

		assert_true(end->worker < plan->workers);
		has_work[end->worker] = true;
		for (uint32_t k = 0; k < e; k++)
			assert_false(plan->ends[k].wire == end->wire &&
				     plan->ends[k].side == end->side &&
				     plan->ends[k].queue == end->queue);
		if (!end->receives)
			continue;
		receiving++;
		assert_int_equal(peer->wire, end->wire);
		assert_int_equal(peer->side, !end->side);
		assert_true(peer->queue < wires[end->wire].tx[peer->side]);
		/* One writer to each TX ring. */
		assert_int_equal(peer->worker, end->worker);
	}
	for (uint32_t w = 0; w < n_wires; w++)
		expected += wires[w].rx[0] + wires[w].rx[1];
	assert_int_equal(receiving, expected);
	for (uint32_t w = 0; w < plan->workers; w++)
		assert_true(has_work[w]);
}

static void every_small_case(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 5 * 5 * 5 * 5 * 3; i++) {
		const struct sl_fwd_plan_wire wires[] = {
			{ { 1 + i % 5, 1 + i / 5 % 5 },
			  { 1 + i / 25 % 5, 1 + i / 125 % 5 } },
			{ { 2, 3 }, { 3, 2 } },
		};
		struct sl_fwd_plan plan;

		assert_int_equal(sl_fwd_plan_init(&plan, wires, 2, i / 625, 4),
				 0);
		plan_check(&plan, wires, 2);
		sl_fwd_plan_fini(&plan);
	}
}

/* What must hold of any mesh: each lane can send by every interface, by its own worker. */
static void mesh_check(const struct sl_fwd_plan *plan,
		       const struct sl_fwd_plan_iface *ifaces,
		       uint32_t n_ifaces)
{
	uint32_t senders[64][8] = { 0 }, receiving = 0, expected = 0;

	for (uint32_t e = 0; e < plan->n_ends; e++) {
		const struct sl_fwd_plan_end *end = &plan->ends[e];
		uint32_t i = 2 * end->wire + end->side;

		assert_int_equal(end->peer, e);
		assert_true(end->lane < plan->lanes);
		assert_int_equal(end->worker, end->lane % plan->workers);
		receiving += end->receives;
		if (end->queue != end->lane)
			continue;
		assert_true(end->queue < ifaces[i].tx);
		senders[end->lane][i]++;
	}
	for (uint32_t i = 0; i < n_ifaces; i++) {
		expected += ifaces[i].rx;
		for (uint32_t l = 0; l < plan->lanes; l++)
			assert_int_equal(senders[l][i], 1);
	}
	assert_int_equal(receiving, expected);
}

static void every_small_mesh(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 4 * 4 * 4 * 4 * 3; i++) {
		const struct sl_fwd_plan_iface ifaces[] = {
			{ 1 + i % 4, 1 + i / 4 % 4 },
			{ 1 + i / 16 % 4, 1 + i / 64 % 4 },
			{ 3, 2 },
		};
		struct sl_fwd_plan plan;

		assert_int_equal(sl_fwd_plan_mesh(&plan, ifaces, 3, i / 256, 4),
				 0);
		mesh_check(&plan, ifaces, 3);
		sl_fwd_plan_fini(&plan);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_queue),
		cmocka_unit_test(deals_queues_in_turn),
		cmocka_unit_test(auto_is_bounded_by_cpus_and_queues),
		cmocka_unit_test(single_tx_queue_makes_one_lane),
		cmocka_unit_test(sending_ends_join_nothing),
		cmocka_unit_test(every_small_mesh),
		cmocka_unit_test(every_small_case),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
