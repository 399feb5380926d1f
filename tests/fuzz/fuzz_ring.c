// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The forwarder's ring core against the mock kernel: an input is a script, two bytes an event.
 * After each round of the worker every frame is in one place, the one that the ledger says;
 * every packet was sent once, whole and in order, or was dropped for one reason; and each lie
 * of the kernel was noticed once. At the end the kernel behaves, and everything comes back.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "afxdp-app/worker.h"
#include "tests/unit/mock_kernel.h"

#define PORTS MOCK_PORTS
#define FRAMES (PORTS * SL_PORT_FRAMES + SL_BURST)
#define MS 1000000ull
/* Rounds that send all that two full TX rings hold, and a margin. */
#define HEAL_ROUNDS 400

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
	struct sl_fwd_worker fresh, worker;
	struct mock_kernel kernel[PORTS];
	bool held[FRAMES];
	uint64_t now_ns, lies, lied_packets;
} lab;

#define EXPECT(holds)                                                       \
	do {                                                                \
		if (!(holds)) {                                             \
			fprintf(stderr, "line %d: %s\n", __LINE__, #holds); \
			abort();                                            \
		}                                                           \
	} while (0)

static void port_init(uint32_t i)
{
	struct sl_fwd_port *port = &lab.worker.ports[i];

	*port = (struct sl_fwd_port){ .ops = &sl_fwd_port_xsk,
				      .xsk.fd = -1,
				      .umem = &lab.worker.umem,
				      .peer = &lab.worker.ports[!i] };
	mock_kernel_attach(&lab.kernel[i], port, i, lab.held);
	port->ops->refill(port);
}

/* As sl_fwd_worker_init() leaves it, without mapping the UMEM anew each time. */
static void lab_init(void)
{
	struct sl_umem *umem = &lab.worker.umem;

	if (!lab.fresh.ports)
		EXPECT(!sl_fwd_worker_init(&lab.fresh, PORTS));
	lab.worker = lab.fresh;
	for (uint32_t i = 0; i < FRAMES; i++)
		umem->free[i] = FRAMES - 1 - i;
	memset(umem->state, SL_FRAME_FREE, FRAMES);
	memset(lab.held, 0, sizeof(lab.held));
	lab.now_ns = 1000 * MS;
	lab.lies = lab.lied_packets = 0;
	for (uint32_t i = 0; i < PORTS; i++)
		port_init(i);
}

static uint64_t drops(const struct sl_fwd_port *port)
{
	uint64_t sum = 0;

	for (int d = SL_FWD_KEEP + 1; d < SL_FWD_DROP_COUNT; d++)
		sum += port->count.drops[d];
	return sum;
}

static void check(void)
{
	const struct sl_fwd_port *port = lab.worker.ports;
	const struct sl_umem *umem = &lab.worker.umem;

	mock_kernel_audit(lab.kernel, PORTS);
	EXPECT(umem->violations == lab.lies);
	EXPECT(!umem->count[SL_FRAME_RX] && !umem->count[SL_FRAME_STAGE]);
	EXPECT(port[0].fill_out + port[1].fill_out ==
	       umem->count[SL_FRAME_FILL]);
	EXPECT(port[0].tx_out + port[1].tx_out == umem->count[SL_FRAME_TX]);
	EXPECT(port[0].tx_out <= SL_PORT_TX && port[1].tx_out <= SL_PORT_TX);
	EXPECT(port[0].count.rx_packets + port[1].count.rx_packets ==
	       port[0].count.tx_packets + port[1].count.tx_packets +
		       drops(&port[0]) + drops(&port[1]));
}

static void step(uint64_t later_ns)
{
	lab.now_ns += later_ns;
	sl_fwd_worker_round(&lab.worker, lab.now_ns);
	check();
}

/*
 * Lies are looked at in the next round, so that what they say is false then, too: a frame
 * that is FREE now could be the kernel's by right later.
 */
static void lie_rx(struct mock_kernel *kernel, uint8_t kind)
{
	const struct sl_umem *umem = &lab.worker.umem;
	struct xdp_desc desc = { .addr = (uint64_t)(FRAMES + kind)
					 << SL_FRAME_SHIFT,
				 .len = 60 };

	/* Between packets: amid one, what the kernel goes on with would be another. */
	if (kernel->rx_part || mock_ring_used(&kernel->rx) ||
	    !mock_kernel_frames(kernel))
		return;
	lab.lies++;
	switch (kind % 5) {
	case 0: /* an address that is none */
		lab.lied_packets++;
		break;
	case 1: /* in the middle of a packet */
		desc.options = XDP_PKT_CONTD;
		mock_kernel_lie_rx(kernel, desc);
		mock_kernel_buffer(kernel, 60, false);
		step(1000);
		return;
	case 2: /* a frame twice */
		mock_kernel_buffer(kernel, 60, false);
		desc = kernel->rx.desc[(kernel->rx.producer - 1) % SL_XSK_RING];
		lab.lied_packets++;
		break;
	case 3: /* a frame that nobody has */
		if (umem->count[SL_FRAME_FREE])
			desc.addr = (uint64_t)umem->free[0] << SL_FRAME_SHIFT;
		lab.lied_packets++;
		break;
	default: /* more bytes than a frame has */
		mock_kernel_buffer(kernel, SL_FRAME_BYTES, false);
		step(1000);
		return;
	}
	mock_kernel_lie_rx(kernel, desc);
	step(1000);
}

static void lie_comp(uint32_t i, uint8_t kind)
{
	struct mock_kernel *kernel = &lab.kernel[i];
	uint64_t addr = (uint64_t)(FRAMES + kind) << SL_FRAME_SHIFT;

	if (!kernel->n_on_wire ||
	    mock_ring_used(&kernel->comp) + 2 > SL_XSK_RING)
		return;
	if (kind % 3 == 1 && mock_kernel_frames(kernel)) {
		addr = kernel->fill.addr[kernel->fill_seen % SL_XSK_RING];
	} else if (kind % 3 == 2) {
		addr = kernel->on_wire[kernel->n_on_wire - 1];
		mock_kernel_complete(kernel, 1);
	}
	mock_kernel_lie_comp(kernel, addr);
	lab.lies++;
	step(1000);
}

/* Ends what the script left begun. */
static void tail(struct mock_kernel *kernel)
{
	if (kernel->rx_part)
		mock_kernel_buffer(kernel, 60, false);
}

static void receive(struct mock_kernel *kernel, uint32_t n, uint32_t bufs)
{
	tail(kernel);
	if (!kernel->rx_part)
		mock_kernel_receive(kernel, n, bufs);
}

static void kernel_set(uint32_t i, uint8_t arg)
{
	static const int errors[] = { 0,      0,	 -EAGAIN, -ENOBUFS,
				      -EBUSY, -ENETDOWN, -ENXIO,  0 };
	struct mock_kernel *kernel = &lab.kernel[i];

	switch (arg % 7) {
	case 0:
		kernel->err = errors[arg / 7 % 8];
		break;
	case 1:
		kernel->budget = arg / 7 % 40;
		break;
	case 2:
		kernel->lags = arg / 7 % 2;
		break;
	case 3:
		lab.worker.ports[i].link = arg / 7 % 2;
		break;
	case 4: /* zero-copy: it sends when it likes */
		kernel->defers = arg / 7 % 2;
		lab.worker.ports[i].xsk.zerocopy = kernel->defers;
		break;
	case 5:
		kernel->fill_lags = arg / 7 % 2;
		mock_kernel_flush(kernel);
		break;
	case 6:
		kernel->fill.flags = arg / 7 % 2 ? XDP_RING_NEED_WAKEUP : 0;
		break;
	}
}

static void event(uint8_t op, uint8_t arg)
{
	uint32_t i = arg & 1;
	struct mock_kernel *kernel = &lab.kernel[i];

	arg >>= 1;
	switch (op % 12) {
	case 0:
	case 1:
		receive(kernel, arg, 1);
		break;
	case 2:
		receive(kernel, arg, 1 + arg % 18);
		break;
	case 3: /* a part of a packet, which may never end */
		for (uint32_t k = 0; k < (arg < 96 ? 1 : SL_BURST + 6); k++)
			mock_kernel_buffer(kernel, 60, arg % 64);
		break;
	case 4:
		mock_kernel_complete(kernel, arg);
		break;
	case 5:
		mock_kernel_send(kernel);
		break;
	case 6:
		kernel_set(i, arg);
		break;
	case 7:
		lie_rx(kernel, arg);
		break;
	case 8:
		lie_comp(i, arg);
		break;
	case 9: /* many packets: a ring full */
		for (uint32_t k = 0; k < arg % 32u; k++) {
			receive(kernel, SL_BURST, 1);
			step(1000);
		}
		break;
	case 10:
		step(arg * 1000ull);
		break;
	default:
		step(arg * MS);
		break;
	}
}

static void kernel_heal(uint32_t i)
{
	kernel_set(i, 4); /* copy mode */
	kernel_set(i, 5);
	lab.kernel[i].err = 0;
	lab.kernel[i].budget = 32;
	lab.worker.ports[i].link = true;
}

static bool quiet(void)
{
	for (uint32_t i = 0; i < PORTS; i++)
		if (mock_ring_used(&lab.kernel[i].rx) ||
		    lab.worker.ports[i].tx_out)
			return false;
	return true;
}

static void heal(void)
{
	uint64_t received = lab.lied_packets;

	for (uint32_t round = 0; round < 2 || (!quiet() && round < HEAL_ROUNDS);
	     round++) {
		for (uint32_t i = 0; i < PORTS; i++) {
			kernel_heal(i);
			tail(&lab.kernel[i]);
			mock_kernel_complete(&lab.kernel[i], UINT32_MAX);
		}
		/* Seldom audited: what went wrong stays wrong. */
		lab.now_ns += 100 * MS;
		sl_fwd_worker_round(&lab.worker, lab.now_ns);
	}
	check();
	for (uint32_t i = 0; i < PORTS; i++) {
		const struct sl_fwd_port *port = &lab.worker.ports[i];

		received += lab.kernel[i].received;
		EXPECT(lab.kernel[i].sent + lab.kernel[i].refused ==
		       port->count.tx_packets);
		EXPECT(!port->tx_out && !port->ops->pending(port));
		EXPECT(!mock_ring_used(&lab.kernel[i].rx));
	}
	EXPECT(lab.worker.ports[0].count.rx_packets +
		       lab.worker.ports[1].count.rx_packets ==
	       received);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	lab_init();
	for (size_t i = 0; i + 1 < size; i += 2)
		event(data[i], data[i + 1]);
	/* By turns: what is on the rings is sent, or is found there. */
	if (size % 2 == 0)
		heal();
	sl_fwd_worker_reclaim(&lab.worker);
	/* More may be back than the kernel has let go of: see reclaim_tx in port_xsk_tx.c. */
	EXPECT(!lab.worker.umem.count[SL_FRAME_FILL]);
	EXPECT(lab.worker.umem.count[SL_FRAME_FREE] + lab.kernel[0].n_on_wire +
		       lab.kernel[1].n_on_wire >=
	       FRAMES);
	return 0;
}
