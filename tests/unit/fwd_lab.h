/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A worker with two ports against a mock kernel that lives behind the rings: it fills short,
 * completes late, uses up its budget, publishes its TX consumer late, as kernels before 6.17
 * do, refuses, goes down and comes back. After every round the ledger must add up, and every
 * packet must be sent or counted as dropped.
 */
#ifndef SLUICE_TEST_FWD_LAB_H
#define SLUICE_TEST_FWD_LAB_H

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
	/* The kernel's own view of the TX ring (net/xdp/xsk_queue.h). */
	uint32_t cached_prod, cached_cons;
	bool lags; /* before 6.17: the consumer is published when the view runs empty */
	uint64_t sent, refused, kicks, rx_wakes;
};

struct lab {
	struct sl_fwd_worker worker;
	struct kernel kernel[PORTS];
	uint64_t now_ns;
};

static struct lab
	*lab; /* for the mock's callbacks, which are given a port only */

static inline struct kernel *kernel_of(const struct sl_fwd_port *port)
{
	return &lab->kernel[port - lab->worker.ports];
}

/* xskq_cons_peek_desc(): the ring's words are read and written when the view is empty. */
static inline struct xdp_desc *tx_peek(struct kernel *kernel)
{
	if (kernel->cached_prod == kernel->cached_cons) {
		kernel->tx.consumer = kernel->cached_cons;
		kernel->cached_prod = kernel->tx.producer;
	}
	if (kernel->cached_prod == kernel->cached_cons)
		return NULL;
	return &kernel->tx.desc[kernel->cached_cons % SL_XSK_RING];
}

static inline bool comp_full(const struct kernel *kernel)
{
	return kernel->comp.producer - kernel->comp.consumer +
		       kernel->n_on_wire ==
	       SL_XSK_RING;
}

/* __dev_direct_xmit() without a carrier: the frame is dropped, and completed. */
static inline int tx_refuse(struct kernel *kernel)
{
	const struct xdp_desc *desc = tx_peek(kernel);

	if (!desc || comp_full(kernel))
		return 0;
	kernel->comp.addr[kernel->comp.producer++ % SL_XSK_RING] = desc->addr;
	kernel->cached_cons++;
	kernel->refused++;
	return -EBUSY;
}

static inline int tx_send(struct kernel *kernel)
{
	struct xdp_desc *desc;

	for (uint32_t i = 0; (desc = tx_peek(kernel)); i++) {
		if (i == kernel->budget)
			return -EAGAIN;
		if (comp_full(kernel))
			return kernel->lags ? 0 : -EAGAIN;
		assert_int_equal(desc->options, 0);
		kernel->on_wire[kernel->n_on_wire++] = desc->addr;
		kernel->cached_cons++;
		kernel->sent++;
	}
	return 0;
}

static inline int mock_tx(struct sl_fwd_port *port)
{
	struct kernel *kernel = kernel_of(port);
	int err;

	kernel->kicks++;
	if (kernel->err && kernel->err != -EBUSY)
		return kernel->err;
	err = kernel->err ? tx_refuse(kernel) : tx_send(kernel);
	if (!kernel->lags)
		kernel->tx.consumer = kernel->cached_cons;
	return err;
}

static inline int mock_rx(struct sl_fwd_port *port)
{
	kernel_of(port)->rx_wakes++;
	return 0;
}

static const struct sl_fwd_wake mock_wake = { .tx = mock_tx, .rx = mock_rx };

/* Up to `n` packets arrive; how many found a frame. */
static inline uint32_t receive(struct kernel *kernel, uint32_t n)
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

static inline void complete(struct kernel *kernel, uint32_t n)
{
	for (uint32_t i = 0; i < n && kernel->n_on_wire; i++) {
		assert_true(kernel->comp.producer - kernel->comp.consumer <
			    SL_XSK_RING);
		kernel->comp.addr[kernel->comp.producer++ % SL_XSK_RING] =
			kernel->on_wire[--kernel->n_on_wire];
	}
}

static inline void port_wire(struct sl_fwd_port *port, struct kernel *kernel)
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
	xsk->tx_budget = kernel->budget;
	port->wake = &mock_wake;
	port->link = true;
}

static inline int setup(void **state)
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

static inline int teardown(void **state)
{
	(void)state;
	sl_fwd_worker_fini(&lab->worker);
	free(lab);
	lab = NULL;
	return 0;
}

static inline uint64_t total_drops(void)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < PORTS; i++)
		for (int d = 0; d < SL_FWD_DROP_COUNT; d++)
			sum += lab->worker.ports[i].count.drops[d];
	return sum;
}

/* What holds after every round. */
static inline void check(void)
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

static inline uint32_t round_later(uint64_t later_ns)
{
	uint32_t n;

	lab->now_ns += later_ns;
	n = sl_fwd_worker_round(&lab->worker, lab->now_ns);
	check();
	return n;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif /* SLUICE_TEST_FWD_LAB_H */
