// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A worker with two ports against a mock kernel that lives behind the rings: it fills short,
 * completes late, uses up its budget, refuses, goes down and comes back. After every round
 * the ledger must add up, and every packet must be sent or counted as dropped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "afxdp-app/worker.h"

#define PORTS 2u
#define FRAMES (PORTS * SL_PORT_FRAMES + SL_BURST)
#define MS 1000000ull

struct ring {
	uint32_t producer, consumer, flags;
	union {
		uint64_t addr[SL_XSK_RING];
		struct xdp_desc desc[SL_XSK_RING];
	};
};

struct kernel {
	struct ring fill, comp, rx, tx;
	uint64_t on_wire[SL_XSK_RING]; /* sent, not completed */
	uint32_t n_on_wire;
	uint32_t budget; /* descriptors a kick sends */
	int err;	 /* what a kick answers, instead of sending */
	uint64_t sent, kicks;
};

struct lab {
	struct sl_fwd_worker worker;
	struct kernel kernel[PORTS];
	uint64_t now_ns;
};

static struct lab
	*lab; /* for the mock's callbacks, which are given a port only */

static struct kernel *kernel_of(const struct sl_fwd_port *port)
{
	return &lab->kernel[port - lab->worker.ports];
}

static int mock_tx(struct sl_fwd_port *port)
{
	struct kernel *kernel = kernel_of(port);

	kernel->kicks++;
	if (kernel->err)
		return kernel->err;
	for (uint32_t i = 0; i < kernel->budget; i++) {
		struct xdp_desc *desc =
			&kernel->tx.desc[kernel->tx.consumer % SL_XSK_RING];

		if (kernel->tx.consumer == kernel->tx.producer)
			return 0;
		if (kernel->n_on_wire == SL_XSK_RING)
			return -EAGAIN;
		assert_int_equal(desc->options, 0);
		kernel->on_wire[kernel->n_on_wire++] = desc->addr;
		kernel->tx.consumer++;
		kernel->sent++;
	}
	return kernel->tx.consumer == kernel->tx.producer ? 0 : -EAGAIN;
}

static int mock_rx(struct sl_fwd_port *port)
{
	(void)port;
	return 0;
}

static const struct sl_fwd_wake mock_wake = { .tx = mock_tx, .rx = mock_rx };

/* Up to `n` packets arrive; how many found a frame. */
static uint32_t receive(struct kernel *kernel, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n && kernel->fill.consumer != kernel->fill.producer;
	     i++) {
		/* The promise of port.c: the RX ring never overflows. */
		assert_true(kernel->rx.producer - kernel->rx.consumer <
			    SL_XSK_RING);
		kernel->rx.desc[kernel->rx.producer++ %
				SL_XSK_RING] = (struct xdp_desc){
			.addr = kernel->fill.addr[kernel->fill.consumer++ %
						  SL_XSK_RING] +
				256,
			.len = 60,
			.options = 1, /* must not leak into the TX descriptor */
		};
	}
	return i;
}

static void complete(struct kernel *kernel, uint32_t n)
{
	for (uint32_t i = 0; i < n && kernel->n_on_wire; i++) {
		assert_true(kernel->comp.producer - kernel->comp.consumer <
			    SL_XSK_RING);
		kernel->comp.addr[kernel->comp.producer++ % SL_XSK_RING] =
			kernel->on_wire[--kernel->n_on_wire];
	}
}

static void port_wire(struct sl_fwd_port *port, struct kernel *kernel)
{
	struct sl_xsk *xsk = &port->xsk;
	struct ring *rings[] = { &kernel->fill, &kernel->tx, &kernel->comp,
				 &kernel->rx };
	struct xsk_ring_prod *prod[] = { &xsk->fill, &xsk->tx };
	struct xsk_ring_cons *cons[] = { &xsk->comp, &xsk->rx };

	for (int i = 0; i < 2; i++) {
		*prod[i] =
			(struct xsk_ring_prod){ .cached_cons = SL_XSK_RING,
						.mask = SL_XSK_RING - 1,
						.size = SL_XSK_RING,
						.producer = &rings[i]->producer,
						.consumer = &rings[i]->consumer,
						.ring = rings[i]->addr,
						.flags = &rings[i]->flags };
		*cons[i] = (struct xsk_ring_cons){
			.mask = SL_XSK_RING - 1,
			.size = SL_XSK_RING,
			.producer = &rings[i + 2]->producer,
			.consumer = &rings[i + 2]->consumer,
			.ring = rings[i + 2]->addr,
			.flags = &rings[i + 2]->flags
		};
	}
	kernel->tx.flags = XDP_RING_NEED_WAKEUP;
	kernel->budget = 32;
	port->wake = &mock_wake;
	port->link = true;
}

static int setup(void **state)
{
	lab = calloc(1, sizeof(*lab));
	if (!lab || sl_fwd_worker_init(&lab->worker, PORTS))
		return -1;
	for (uint32_t i = 0; i < PORTS; i++) {
		struct sl_fwd_port *port = &lab->worker.ports[i];

		port->umem = &lab->worker.umem;
		port->peer = &lab->worker.ports[!i];
		port_wire(port, &lab->kernel[i]);
		sl_fwd_port_refill(port);
	}
	lab->now_ns = 1000 * MS;
	*state = lab;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	sl_fwd_worker_fini(&lab->worker);
	free(lab);
	lab = NULL;
	return 0;
}

static uint64_t total_drops(void)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < PORTS; i++)
		for (int d = 0; d < SL_FWD_DROP_COUNT; d++)
			sum += lab->worker.ports[i].count.drops[d];
	return sum;
}

/* What holds after every round. */
static void check(void)
{
	const struct sl_fwd_port *ports = lab->worker.ports;
	const struct sl_umem *umem = &lab->worker.umem;

	assert_true(sl_umem_audit(umem));
	assert_int_equal(umem->count[SL_FRAME_RX] + umem->count[SL_FRAME_STAGE],
			 0);
	assert_int_equal(ports[0].fill_out + ports[1].fill_out,
			 umem->count[SL_FRAME_FILL]);
	assert_int_equal(ports[0].tx_out + ports[1].tx_out,
			 umem->count[SL_FRAME_TX]);
	assert_int_equal(ports[0].count.rx_packets + ports[1].count.rx_packets,
			 ports[0].count.tx_packets + ports[1].count.tx_packets +
				 total_drops());
}

static uint32_t round_later(uint64_t later_ns)
{
	uint32_t n;

	lab->now_ns += later_ns;
	n = sl_fwd_worker_round(&lab->worker, lab->now_ns);
	check();
	return n;
}

static void forwards_a_packet(void **state)
{
	struct sl_fwd_port *ports = lab->worker.ports;

	(void)state;
	assert_int_equal(receive(&lab->kernel[0], 1), 1);
	assert_int_equal(round_later(MS), 1);
	assert_int_equal(lab->kernel[1].sent, 1);
	assert_int_equal(ports[0].count.rx_bytes, 60);
	assert_int_equal(ports[1].count.tx_bytes, 60);
	assert_int_equal(ports[1].tx_out, 1);
	complete(&lab->kernel[1], 1);
	round_later(MS);
	assert_int_equal(ports[1].tx_out, 0);
}

static void refills_to_the_target(void **state)
{
	(void)state;
	assert_int_equal(receive(&lab->kernel[0], SL_XSK_RING + 1),
			 SL_PORT_FILL);
	for (uint32_t i = 0; i < 2 * SL_XSK_RING / SL_BURST; i++) {
		round_later(MS);
		complete(&lab->kernel[1], UINT32_MAX);
	}
	round_later(MS);
	assert_int_equal(lab->kernel[1].sent, SL_PORT_FILL);
	assert_int_equal(lab->worker.ports[0].fill_out, SL_PORT_FILL);
	assert_int_equal(total_drops(), 0);
}

/* A short fill must not leave the ring short: the deficit is made up when frames return. */
static void refills_with_what_there_is(void **state)
{
	struct sl_umem *umem = &lab->worker.umem;
	uint64_t kept[FRAMES];
	uint32_t n = 0;

	(void)state;
	while (umem->count[SL_FRAME_FREE] > 10) {
		kept[n] = sl_umem_take(umem);
		sl_umem_move(umem, kept[n++], SL_FRAME_FILL, SL_FRAME_STAGE);
	}
	receive(&lab->kernel[0], SL_BURST);
	sl_fwd_port_rx_burst(&lab->worker.ports[0],
			     (struct xdp_desc[SL_BURST]){ { 0 } }, SL_BURST);
	sl_fwd_port_refill(&lab->worker.ports[0]);
	assert_int_equal(lab->worker.ports[0].fill_out,
			 SL_PORT_FILL - SL_BURST + 10);
	while (n)
		sl_umem_give(umem, kept[--n], SL_FRAME_STAGE);
	receive(&lab->kernel[0], SL_BURST);
	sl_fwd_port_rx_burst(&lab->worker.ports[0],
			     (struct xdp_desc[SL_BURST]){ { 0 } }, SL_BURST);
	sl_fwd_port_refill(&lab->worker.ports[0]);
	assert_int_equal(lab->worker.ports[0].fill_out, SL_PORT_FILL);
}

static void stuck_port_drops_and_starves_nobody(void **state)
{
	uint64_t other = 0;

	(void)state;
	lab->kernel[1].err = -EAGAIN;
	for (int i = 0; i < 200; i++) {
		receive(&lab->kernel[0], SL_BURST);
		other += receive(&lab->kernel[1], SL_BURST);
		round_later(MS);
		complete(&lab->kernel[0], UINT32_MAX);
	}
	round_later(MS);
	assert_int_equal(lab->kernel[0].sent, other);
	assert_int_equal(other, 200 * SL_BURST);
	assert_int_equal(lab->worker.ports[1].tx_out, SL_PORT_TX);
	assert_int_equal(lab->worker.ports[1].count.drops[SL_FWD_DROP_TX_FULL],
			 200 * SL_BURST - SL_PORT_TX);
	/* Bounded: a few attempts a round, not a spin. */
	assert_true(lab->kernel[1].kicks <= 200 * 8);
}

static void late_completions_bound_what_is_out(void **state)
{
	(void)state;
	lab->kernel[1].budget = SL_BURST;
	for (int i = 0; i < 200; i++) {
		receive(&lab->kernel[0], SL_BURST);
		round_later(MS);
	}
	assert_int_equal(lab->kernel[1].sent, SL_PORT_TX);
	complete(&lab->kernel[1], UINT32_MAX);
	receive(&lab->kernel[0], 1);
	round_later(MS);
	/* It was loaded, so the kick may be held until now. */
	round_later(MS);
	assert_int_equal(lab->kernel[1].sent, SL_PORT_TX + 1);
}

static void goes_down_and_comes_back(void **state)
{
	struct sl_fwd_port *port = &lab->worker.ports[1];
	uint64_t kicks;

	(void)state;
	lab->kernel[1].err = -ENETDOWN;
	receive(&lab->kernel[0], 1);
	round_later(MS);
	assert_true(port->down);
	kicks = lab->kernel[1].kicks;
	for (int i = 0; i < 100; i++) {
		receive(&lab->kernel[0], 1);
		round_later(MS / 1000);
	}
	assert_int_equal(port->count.drops[SL_FWD_DROP_LINK_DOWN], 100);
	assert_true(lab->kernel[1].kicks - kicks <= 1);
	lab->kernel[1].err = 0;
	receive(&lab->kernel[0], 1);
	round_later(100 * MS);
	assert_false(port->down);
	assert_int_equal(lab->kernel[1].sent, 2);
}

static void without_a_link_nothing_is_queued(void **state)
{
	(void)state;
	lab->worker.ports[1].link = false;
	receive(&lab->kernel[0], 5);
	round_later(MS);
	assert_int_equal(lab->worker.ports[1].tx_out, 0);
	assert_int_equal(
		lab->worker.ports[1].count.drops[SL_FWD_DROP_LINK_DOWN], 5);
	assert_int_equal(lab->kernel[1].kicks, 0);
}

/* Under load a kick waits for a burst or for the end of the hold; a tail is not left. */
static void holds_kicks_under_load(void **state)
{
	uint64_t packets = 0;

	(void)state;
	lab->kernel[1].budget = SL_BURST;
	for (int i = 0; i < 4000; i++) {
		packets += receive(&lab->kernel[0], 2);
		round_later(5000);
		complete(&lab->kernel[1], UINT32_MAX);
	}
	assert_true(lab->worker.loaded);
	assert_true(lab->kernel[1].kicks * 16 <= packets);
	round_later(MS);
	assert_int_equal(lab->kernel[1].sent, packets);
}

static void idle_packet_is_kicked_at_once(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++) {
		receive(&lab->kernel[0], 1);
		round_later(10 * MS);
		assert_int_equal(lab->kernel[1].sent, i + 1);
		complete(&lab->kernel[1], 1);
	}
}

static void counts_what_the_kernel_refused(void **state)
{
	(void)state;
	lab->kernel[1].err = -EBUSY;
	receive(&lab->kernel[0], 1);
	round_later(MS);
	assert_int_equal(lab->worker.ports[1].count.tx_refused, 1);
}

static void a_foreign_frame_is_not_forwarded(void **state)
{
	struct kernel *kernel = &lab->kernel[0];

	(void)state;
	receive(kernel, 1);
	kernel->rx.desc[kernel->rx.producer++ % SL_XSK_RING] =
		kernel->rx.desc[0];
	lab->now_ns += MS;
	assert_int_equal(sl_fwd_worker_round(&lab->worker, lab->now_ns), 1);
	assert_int_equal(lab->worker.umem.violations, 1);
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
		sl_fwd_port_reclaim(&lab->worker.ports[i]);
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
			struct kernel *kernel = &lab->kernel[p];

			kernel->err = errors[draw(
				&seed, sizeof(errors) / sizeof(errors[0]))];
			kernel->budget = draw(&seed, 4) ? 32 : draw(&seed, 3);
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
		assert_int_equal(lab->kernel[p].sent,
				 lab->worker.ports[p].count.tx_packets);
		sl_fwd_port_reclaim(&lab->worker.ports[p]);
	}
	assert_int_equal(umem->count[SL_FRAME_FREE], FRAMES);
	assert_true(sl_umem_audit(umem));
}

static void publishes_a_whole_ledger(void **state)
{
	uint32_t count[SL_FRAME_STATES], sum = 0;

	(void)state;
	receive(&lab->kernel[0], 7);
	round_later(MS);
	sl_fwd_worker_ledger(&lab->worker, count);
	for (int s = 0; s < SL_FRAME_STATES; s++)
		sum += count[s];
	assert_int_equal(sum, FRAMES);
	assert_int_equal(count[SL_FRAME_TX], 7);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(forwards_a_packet),
		TEST(refills_to_the_target),
		TEST(refills_with_what_there_is),
		TEST(stuck_port_drops_and_starves_nobody),
		TEST(late_completions_bound_what_is_out),
		TEST(goes_down_and_comes_back),
		TEST(without_a_link_nothing_is_queued),
		TEST(holds_kicks_under_load),
		TEST(idle_packet_is_kicked_at_once),
		TEST(counts_what_the_kernel_refused),
		TEST(a_foreign_frame_is_not_forwarded),
		TEST(reclaims_from_all_four_rings),
		TEST(survives_a_hostile_kernel),
		TEST(publishes_a_whole_ledger),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
