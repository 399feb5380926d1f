/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A worker with two ports, each of them on a mock kernel. After every round the ledger must add
 * up, every frame be in one place, and every packet be sent or counted as dropped.
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
#include "mock_kernel.h"

#define PORTS MOCK_PORTS
#define FRAMES (PORTS * SL_PORT_FRAMES + SL_BURST)
#define MS 1000000ull

struct lab {
	struct sl_fwd_worker worker;
	struct mock_kernel kernel[PORTS];
	bool held[FRAMES];
	uint64_t now_ns;
	bool lied; /* the kernel did: the ledger says so, too */
};

static struct lab *lab;

/* Single buffers, as most tests want them. */
static inline uint32_t receive(struct mock_kernel *kernel, uint32_t n)
{
	return mock_kernel_receive(kernel, n, 1);
}

static inline void complete(struct mock_kernel *kernel, uint32_t n)
{
	mock_kernel_complete(kernel, n);
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
		mock_kernel_attach(&lab->kernel[i], port, i, lab->held);
		port->ops->refill(port);
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
		for (int d = SL_FWD_KEEP + 1; d < SL_FWD_DROP_COUNT; d++)
			sum += lab->worker.ports[i].count.drops[d];
	return sum;
}

/* What holds after every round. */
static inline void check(void)
{
	const struct sl_fwd_port *ports = lab->worker.ports;
	const struct sl_umem *umem = &lab->worker.umem;

	assert_true(sl_umem_audit(umem) || lab->lied);
	mock_kernel_audit(lab->kernel, PORTS);
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

static inline bool ready(uint32_t port)
{
	return lab->worker.ports[port].ops->ready(&lab->worker.ports[port]);
}

static inline uint32_t round_later(uint64_t later_ns)
{
	bool looked = ready(0) || ready(1);
	uint32_t n;

	lab->now_ns += later_ns;
	n = sl_fwd_worker_round(&lab->worker, lab->now_ns);
	/* A worker that spins goes by the look alone. */
	assert_true(looked || !n);
	check();
	return n;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif /* SLUICE_TEST_FWD_LAB_H */
