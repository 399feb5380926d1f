// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The ledger, to the end: what is drained, what is reclaimed; fwd_lab.h is the kernel. */
#include "fwd_lab.h"

static void a_foreign_frame_is_not_forwarded(void **state)
{
	struct mock_kernel *kernel = &lab->kernel[0];

	(void)state;
	receive(kernel, 1);
	mock_kernel_lie_rx(kernel, kernel->rx.desc[0]);
	lab->lied = true;
	assert_int_equal(round_later(MS), 1);
	assert_int_equal(lab->worker.umem.violations, 1);
	assert_int_equal(lab->worker.ports[0].count.drops[SL_FWD_DROP_INVALID],
			 1);
	assert_int_equal(lab->kernel[1].sent, 1);
	assert_false(sl_umem_audit(&lab->worker.umem));
}

static void reclaims_from_all_four_rings(void **state)
{
	struct sl_umem *umem = &lab->worker.umem;

	(void)state;
	lab->kernel[1].budget = 8; /* some stay on the TX ring */
	receive(&lab->kernel[0], 3 * SL_BURST);
	for (int i = 0; i < 2; i++)
		round_later(100 * MS);
	lab->kernel[1].err = -EAGAIN;
	receive(&lab->kernel[0], SL_BURST);
	round_later(100 * MS);
	complete(&lab->kernel[1], 5); /* some on the completion ring */
	assert_true(lab->kernel[1].tx.consumer != lab->kernel[1].tx.producer);
	assert_true(lab->kernel[0].rx.consumer != lab->kernel[0].rx.producer);
	for (uint32_t i = 0; i < PORTS; i++)
		lab->worker.ports[i].ops->reclaim(&lab->worker.ports[i]);
	/* All but what the kernel still sends. */
	assert_int_equal(lab->worker.ports[1].tx_out, lab->kernel[1].n_on_wire);
	assert_int_equal(umem->count[SL_FRAME_FREE] + lab->kernel[1].n_on_wire,
			 FRAMES);
	assert_int_equal(umem->count[SL_FRAME_FILL], 0);
	assert_true(sl_umem_audit(umem));
}

/* A small generator of its own: the same sequence everywhere. */
static uint32_t draw(uint64_t *seed, uint32_t below)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(*seed >> 33) % below;
}

static void survives_a_hostile_kernel(void **state)
{
	static const int errors[] = { 0,      0,	 0,
				      0,      -EAGAIN,	 -ENOBUFS,
				      -EBUSY, -ENETDOWN, -ENXIO };
	struct sl_umem *umem = &lab->worker.umem;
	uint64_t seed = 20;

	(void)state;
	for (int i = 0; i < 5000; i++) {
		for (uint32_t p = 0; p < PORTS; p++) {
			struct mock_kernel *kernel = &lab->kernel[p];

			kernel->err = errors[draw(
				&seed, sizeof(errors) / sizeof(errors[0]))];
			kernel->budget = draw(&seed, 4) ? 32 : draw(&seed, 3);
			kernel->lags = draw(&seed, 2);
			receive(kernel, draw(&seed, 3 * SL_BURST));
			complete(kernel, draw(&seed, 3 * SL_BURST));
			lab->worker.ports[p].link = draw(&seed, 20);
		}
		round_later(draw(&seed, 300000));
	}
	for (uint32_t p = 0; p < PORTS; p++) {
		lab->kernel[p].err = 0;
		lab->kernel[p].budget = 32;
		lab->worker.ports[p].link = true;
	}
	for (int i = 0; i < 1000; i++) {
		round_later(100 * MS);
		complete(&lab->kernel[0], UINT32_MAX);
		complete(&lab->kernel[1], UINT32_MAX);
	}
	assert_true(lab->kernel[0].sent > 10000 && lab->kernel[1].sent > 10000);
	for (uint32_t p = 0; p < PORTS; p++) {
		assert_int_equal(lab->kernel[p].sent + lab->kernel[p].refused,
				 lab->worker.ports[p].count.tx_packets);
		assert_int_equal(lab->kernel[p].refused,
				 lab->worker.ports[p].count.tx_refused);
		lab->worker.ports[p].ops->reclaim(&lab->worker.ports[p]);
	}
	assert_int_equal(umem->count[SL_FRAME_FREE], FRAMES);
	assert_true(sl_umem_audit(umem));
}

static void publishes_a_whole_ledger(void **state)
{
	struct sl_fwd_frames frames;
	uint32_t sum = 0;

	(void)state;
	receive(&lab->kernel[0], 7);
	round_later(MS);
	sl_fwd_worker_ledger(&lab->worker, &frames);
	for (int s = 0; s < SL_FRAME_STATES; s++)
		sum += frames.count[s];
	assert_int_equal(sum, FRAMES);
	assert_int_equal(frames.count[SL_FRAME_TX], 7);
	assert_int_equal(frames.violations, 0);
	/* A frame that comes twice shows while it runs. */
	sl_umem_give(&lab->worker.umem, 0, SL_FRAME_STAGE);
	sl_fwd_worker_round(&lab->worker, lab->now_ns);
	sl_fwd_worker_ledger(&lab->worker, &frames);
	assert_int_equal(frames.violations, 1);
}

/* Stopped without a carrier: each frame is refused, and completed, and the consumer lags. */
static void drains_what_is_refused(void **state)
{
	struct sl_fwd_port *port = &lab->worker.ports[1];

	(void)state;
	lab->kernel[1].lags = true;
	lab->kernel[1].err = -EAGAIN;
	receive(&lab->kernel[0], SL_BURST);
	round_later(MS);
	assert_int_equal(port->ops->pending(port), SL_BURST);
	lab->kernel[1].err = -EBUSY;
	port->link = false;
	port->quiet_until_ns = 0;
	sl_fwd_workers_drain(&lab->worker, 1);
	assert_int_equal(lab->kernel[1].refused, SL_BURST);
	assert_int_equal(port->tx_out, 0);
	sl_fwd_worker_reclaim(&lab->worker);
	assert_int_equal(lab->worker.umem.count[SL_FRAME_FREE], FRAMES);
	assert_true(sl_umem_audit(&lab->worker.umem));
}

/* The interface went down before the kernel published what it had sent: nothing can be drained. */
static void reclaims_past_a_lagging_consumer(void **state)
{
	struct sl_fwd_port *port = &lab->worker.ports[1];

	(void)state;
	lab->kernel[1].lags = true;
	receive(&lab->kernel[0], SL_BURST);
	port->stalled = true; /* so one call */
	round_later(MS);
	assert_int_equal(lab->kernel[1].sent, 32);
	assert_int_equal(port->ops->pending(port), SL_BURST);
	/* 20 are sent, 12 on their way and lost to us with the device, 32 not looked at. */
	for (uint32_t i = 0; i < 20; i++)
		lab->kernel[1].comp.addr[lab->kernel[1].comp.producer++] =
			lab->kernel[1].tx.desc[i].addr;
	lab->kernel[1].n_on_wire = 0;
	lab->kernel[1].err = -ENETDOWN;
	port->quiet_until_ns = 0;
	sl_fwd_workers_drain(&lab->worker, 1);
	sl_fwd_worker_reclaim(&lab->worker);
	assert_int_equal(lab->worker.umem.count[SL_FRAME_FREE], FRAMES);
	assert_true(sl_umem_audit(&lab->worker.umem));
}

/* A device that neither sends nor fails is not waited for beyond the bound; its frames show. */
static void a_stuck_device_does_not_hold_the_end(void **state)
{
	struct sl_fwd_port *port = &lab->worker.ports[1];

	(void)state;
	receive(&lab->kernel[0], 7);
	sl_fwd_workers_drain(&lab->worker, 1);
	assert_int_equal(lab->kernel[1].sent, 7);
	sl_fwd_worker_reclaim(&lab->worker);
	assert_int_equal(port->tx_out, 7);
	assert_int_equal(lab->worker.umem.count[SL_FRAME_FREE], FRAMES - 7);
	assert_true(sl_umem_audit(&lab->worker.umem));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_foreign_frame_is_not_forwarded),
		TEST(reclaims_from_all_four_rings),
		TEST(survives_a_hostile_kernel),
		TEST(publishes_a_whole_ledger),
		TEST(drains_what_is_refused),
		TEST(reclaims_past_a_lagging_consumer),
		TEST(a_stuck_device_does_not_hold_the_end),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
