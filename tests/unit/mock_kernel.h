/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel behind the rings of a port, in memory. It fills short, completes late, uses up its
 * budget, publishes its TX consumer late, as kernels before 6.17 do, refuses, goes down and
 * comes back, makes packets of several buffers, and lies where it is told to.
 *
 * It watches what it is given: every buffer it receives into carries a tag, and what is sent must
 * be whole packets, each at most once, in the order in which they came in, none of them with a
 * buffer that the kernel holds already. What is wrong ends the process.
 *
 * All that belongs to a port (mock_kernel) may be driven by another thread than the port's,
 * if `defers` is set: then nothing but the rings' own words is shared.
 */
#ifndef SLUICE_TEST_MOCK_KERNEL_H
#define SLUICE_TEST_MOCK_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "afxdp-app/port.h"

#define MOCK_PORTS 2u
/* What the kernel leaves before a packet: XDP_PACKET_HEADROOM. */
#define MOCK_HEADROOM 256u

struct mock_ring {
	uint32_t producer, consumer, flags;
	union {
		uint64_t addr[SL_XSK_RING];
		struct xdp_desc desc[SL_XSK_RING];
	};
};

struct mock_kernel {
	struct sl_fwd_wake wake; /* the port's; leads from the port to here */
	struct mock_ring fill, comp, rx, tx;
	const struct sl_umem *umem;
	bool *held; /* by frame, of all kernels on the UMEM: between two rings */
	uint32_t source;	       /* its number in the tags */
	uint64_t on_wire[SL_XSK_RING]; /* sent, not completed */
	uint32_t n_on_wire;
	uint32_t budget; /* descriptors a kick sends */
	int err;	 /* what a kick answers, instead of sending */
	bool defers; /* zero-copy: a kick only wakes, mock_kernel_send() sends */
	/*
	 * Copy mode moves the fill ring's consumer after the packets of a NAPI poll were put on
	 * the RX ring: until mock_kernel_flush() with this, else at once.
	 */
	bool fill_lags;
	uint32_t fill_seen; /* its own view of that consumer */
	bool lags; /* before 6.17: the consumer is published when the view runs empty */
	/* The kernel's own view of the TX ring (net/xdp/xsk_queue.h). */
	uint32_t cached_prod, cached_cons;
	/* The packet that is being received, and that which is being sent. */
	uint64_t rx_sequence;
	uint32_t rx_part, tx_part;
	uint64_t tx_after[MOCK_PORTS]; /* the last sequence sent, by source */
	/* Packets, but for the calls. */
	uint64_t received, sent, refused, kicks, rx_wakes;
};

/*
 * Makes it the kernel of `port`, which has its UMEM already. `held` has an element for each
 * frame and is shared by all ports of the UMEM; it starts false.
 */
void mock_kernel_attach(struct mock_kernel *kernel, struct sl_fwd_port *port,
			uint32_t source, bool *held);

/* Entries of the fill ring that it has not taken. */
uint32_t mock_kernel_frames(const struct mock_kernel *kernel);
void mock_kernel_flush(struct mock_kernel *kernel);

/*
 * One buffer of a packet arrives; `more`: the packet goes on in the next. False, and nothing
 * happens: the fill ring is empty.
 */
bool mock_kernel_buffer(struct mock_kernel *kernel, uint32_t len, bool more);

/*
 * Up to `n` packets of `bufs` buffers arrive. How many found the frames; the others are dropped
 * whole, as the kernel does.
 */
uint32_t mock_kernel_receive(struct mock_kernel *kernel, uint32_t n,
			     uint32_t bufs);

/* Up to `n` of the buffers that were sent are completed, the last one first. */
void mock_kernel_complete(struct mock_kernel *kernel, uint32_t n);

/* Sends, as far as budget and completion ring allow; what a kick answers. */
int mock_kernel_send(struct mock_kernel *kernel);

/* A lie: any descriptor on the RX ring, any address on the completion ring. */
void mock_kernel_lie_rx(struct mock_kernel *kernel, struct xdp_desc desc);
void mock_kernel_lie_comp(struct mock_kernel *kernel, uint64_t addr);

uint32_t mock_ring_used(const struct mock_ring *ring);

/*
 * Where every frame is, by the rings: each one in exactly the place that the ledger says, and
 * in no other. Between two rounds of the worker, and after no lie that took a frame.
 */
void mock_kernel_audit(const struct mock_kernel *kernel, uint32_t n);

#endif /* SLUICE_TEST_MOCK_KERNEL_H */
