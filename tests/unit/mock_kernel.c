// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "mock_kernel.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* At the beginning of each buffer; unaligned, as packets are. */
struct tag {
	uint64_t sequence;
	uint32_t source, part, more, len;
};

#define SLOT(number) ((number) % SL_XSK_RING)

/* Not assert(): it holds whatever the build. */
static void expect(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "mock kernel: not so: %s\n", what);
	abort();
}

static uint32_t word_read(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void word_write(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

uint32_t mock_ring_used(const struct mock_ring *ring)
{
	return word_read(&ring->producer) - word_read(&ring->consumer);
}

static uint64_t frame_of(const struct mock_kernel *kernel, uint64_t addr)
{
	uint64_t frame = addr >> SL_FRAME_SHIFT;

	expect(frame < kernel->umem->frames, "an address is in the UMEM");
	return frame;
}

static void hold(struct mock_kernel *kernel, uint64_t addr)
{
	uint64_t frame = frame_of(kernel, addr);

	expect(!kernel->held[frame],
	       "a buffer is not handed over while the kernel has it");
	kernel->held[frame] = true;
}

static void rx_put(struct mock_kernel *kernel, struct xdp_desc desc)
{
	/* The promise of port_xsk.c. */
	expect(mock_ring_used(&kernel->rx) < SL_XSK_RING,
	       "the RX ring has room");
	kernel->rx.desc[SLOT(kernel->rx.producer)] = desc;
	word_write(&kernel->rx.producer, kernel->rx.producer + 1);
}

static void comp_put(struct mock_kernel *kernel, uint64_t addr)
{
	expect(mock_ring_used(&kernel->comp) < SL_XSK_RING,
	       "the completion ring has room");
	kernel->held[frame_of(kernel, addr)] = false;
	kernel->comp.addr[SLOT(kernel->comp.producer)] = addr;
	word_write(&kernel->comp.producer, kernel->comp.producer + 1);
}

static struct tag tag_of(const struct mock_kernel *kernel, uint64_t addr)
{
	struct tag tag;

	memcpy(&tag, (const char *)kernel->umem->area + addr, sizeof(tag));
	return tag;
}

uint32_t mock_kernel_frames(const struct mock_kernel *kernel)
{
	return word_read(&kernel->fill.producer) - kernel->fill_seen;
}

void mock_kernel_flush(struct mock_kernel *kernel)
{
	word_write(&kernel->fill.consumer, kernel->fill_seen);
}

bool mock_kernel_buffer(struct mock_kernel *kernel, uint32_t len, bool more)
{
	struct tag tag = { .sequence = kernel->rx_sequence,
			   .source = kernel->source,
			   .part = kernel->rx_part,
			   .more = more,
			   .len = len };
	uint64_t addr;

	if (!mock_kernel_frames(kernel))
		return false;
	addr = kernel->fill.addr[SLOT(kernel->fill_seen)];
	expect(addr % SL_FRAME_BYTES == 0, "a fill address is a frame's");
	hold(kernel, addr);
	kernel->fill_seen++;
	if (!kernel->fill_lags)
		mock_kernel_flush(kernel);
	addr += MOCK_HEADROOM;
	memcpy((char *)kernel->umem->area + addr, &tag, sizeof(tag));
	kernel->held[frame_of(kernel, addr)] = false;
	rx_put(kernel,
	       (struct xdp_desc){ .addr = addr,
				  .len = len,
				  .options = (more ? XDP_PKT_CONTD : 0) |
					     /* must not leak into TX */
					     1u << 31 });
	kernel->rx_part++;
	if (!more) {
		kernel->rx_part = 0;
		kernel->rx_sequence++;
		kernel->received++;
	}
	return true;
}

uint32_t mock_kernel_receive(struct mock_kernel *kernel, uint32_t n,
			     uint32_t bufs)
{
	uint32_t i;

	for (i = 0; i < n && mock_kernel_frames(kernel) >= bufs; i++)
		for (uint32_t b = 1; b <= bufs; b++)
			mock_kernel_buffer(kernel, 60, b < bufs);
	return i;
}

void mock_kernel_complete(struct mock_kernel *kernel, uint32_t n)
{
	for (uint32_t i = 0; i < n && kernel->n_on_wire; i++)
		comp_put(kernel, kernel->on_wire[--kernel->n_on_wire]);
}

void mock_kernel_lie_rx(struct mock_kernel *kernel, struct xdp_desc desc)
{
	rx_put(kernel, desc);
}

void mock_kernel_lie_comp(struct mock_kernel *kernel, uint64_t addr)
{
	kernel->comp.addr[SLOT(kernel->comp.producer)] = addr;
	word_write(&kernel->comp.producer, kernel->comp.producer + 1);
}

/* xskq_cons_peek_desc(): the ring's words are read and written when the view is empty. */
static const struct xdp_desc *tx_peek(struct mock_kernel *kernel)
{
	if (kernel->cached_prod == kernel->cached_cons) {
		word_write(&kernel->tx.consumer, kernel->cached_cons);
		kernel->cached_prod = word_read(&kernel->tx.producer);
	}
	if (kernel->cached_prod == kernel->cached_cons)
		return NULL;
	return &kernel->tx.desc[SLOT(kernel->cached_cons)];
}

static bool comp_full(const struct mock_kernel *kernel)
{
	return mock_ring_used(&kernel->comp) + kernel->n_on_wire == SL_XSK_RING;
}

/* Takes the descriptor that was peeked; true if it was the last one of its packet. */
static bool tx_take(struct mock_kernel *kernel, const struct xdp_desc *desc)
{
	struct tag tag = tag_of(kernel, desc->addr);
	bool more = desc->options & XDP_PKT_CONTD;

	expect(!(desc->options & ~XDP_PKT_CONTD), "no option but CONTD");
	expect(tag.source < MOCK_PORTS, "the packet is one that came in");
	expect(tag.len == desc->len, "its length is what it was");
	expect(tag.part == kernel->tx_part && tag.more == more,
	       "a packet is sent whole");
	/* From 1 on: see mock_kernel_attach(). */
	expect(tag.part ? tag.sequence == kernel->tx_after[tag.source] :
			  tag.sequence > kernel->tx_after[tag.source],
	       "a packet is sent once, and in its turn");
	kernel->tx_after[tag.source] = tag.sequence;
	kernel->tx_part = more ? tag.part + 1 : 0;
	hold(kernel, desc->addr);
	kernel->cached_cons++;
	return !more;
}

/* __dev_direct_xmit() without a carrier: the packet is dropped, and completed. */
static int tx_refuse(struct mock_kernel *kernel)
{
	const struct xdp_desc *desc;

	while ((desc = tx_peek(kernel)) && !comp_full(kernel)) {
		bool last = tx_take(kernel, desc);

		comp_put(kernel, desc->addr);
		if (!last)
			continue;
		kernel->refused++;
		return -EBUSY;
	}
	return 0;
}

static int tx_send(struct mock_kernel *kernel)
{
	const struct xdp_desc *desc;

	for (uint32_t i = 0; (desc = tx_peek(kernel)); i++) {
		if (i == kernel->budget)
			return -EAGAIN;
		if (comp_full(kernel))
			return kernel->lags ? 0 : -EAGAIN;
		kernel->sent += tx_take(kernel, desc);
		kernel->on_wire[kernel->n_on_wire++] = desc->addr;
	}
	return 0;
}

int mock_kernel_send(struct mock_kernel *kernel)
{
	int err = kernel->err;

	if (err && err != -EBUSY)
		return err;
	err = err ? tx_refuse(kernel) : tx_send(kernel);
	if (!kernel->lags)
		word_write(&kernel->tx.consumer, kernel->cached_cons);
	return err;
}

static struct mock_kernel *kernel_of(const struct sl_fwd_port *port)
{
	return (struct mock_kernel *)((char *)(uintptr_t)port->wake -
				      offsetof(struct mock_kernel, wake));
}

static int wake_tx(struct sl_fwd_port *port)
{
	struct mock_kernel *kernel = kernel_of(port);

	kernel->kicks++;
	return kernel->defers ? 0 : mock_kernel_send(kernel);
}

static int wake_rx(struct sl_fwd_port *port)
{
	kernel_of(port)->rx_wakes++;
	return 0;
}

static void prod_wire(struct xsk_ring_prod *prod, struct mock_ring *ring)
{
	*prod = (struct xsk_ring_prod){ .cached_cons = SL_XSK_RING,
					.mask = SL_XSK_RING - 1,
					.size = SL_XSK_RING,
					.producer = &ring->producer,
					.consumer = &ring->consumer,
					.ring = ring->addr,
					.flags = &ring->flags };
}

static void cons_wire(struct xsk_ring_cons *cons, struct mock_ring *ring)
{
	*cons = (struct xsk_ring_cons){ .mask = SL_XSK_RING - 1,
					.size = SL_XSK_RING,
					.producer = &ring->producer,
					.consumer = &ring->consumer,
					.ring = ring->addr,
					.flags = &ring->flags };
}

void mock_kernel_attach(struct mock_kernel *kernel, struct sl_fwd_port *port,
			uint32_t source, bool *held)
{
	memset(kernel, 0, sizeof(*kernel));
	kernel->wake = (struct sl_fwd_wake){ .tx = wake_tx, .rx = wake_rx };
	kernel->umem = port->umem;
	kernel->held = held;
	kernel->source = source;
	kernel->rx_sequence = 1; /* tx_after is 0: nothing was sent */
	kernel->tx.flags = XDP_RING_NEED_WAKEUP;
	kernel->budget = 32;
	prod_wire(&port->xsk.fill, &kernel->fill);
	prod_wire(&port->xsk.tx, &kernel->tx);
	cons_wire(&port->xsk.comp, &kernel->comp);
	cons_wire(&port->xsk.rx, &kernel->rx);
	port->xsk.tx_budget = kernel->budget;
	port->wake = &kernel->wake;
	port->link = true;
}

/* Marks frames of a ring's entries, each of which must be in `state` and not seen before. */
static void mark(const struct sl_umem *umem, uint8_t *seen, uint64_t addr,
		 enum sl_frame_state state)
{
	uint64_t frame = addr >> SL_FRAME_SHIFT;

	expect(frame < umem->frames, "a ring has addresses of the UMEM");
	expect(!seen[frame], "a frame is in one place");
	expect(umem->state[frame] == state, "it is where the ledger says");
	seen[frame] = 1;
}

static void mark_kernel(const struct mock_kernel *kernel, uint8_t *seen)
{
	const struct sl_umem *umem = kernel->umem;

	for (uint32_t i = kernel->fill_seen; i != kernel->fill.producer; i++)
		mark(umem, seen, kernel->fill.addr[SLOT(i)], SL_FRAME_FILL);
	for (uint32_t i = kernel->rx.consumer; i != kernel->rx.producer; i++)
		mark(umem, seen, kernel->rx.desc[SLOT(i)].addr, SL_FRAME_FILL);
	for (uint32_t i = kernel->cached_cons; i != kernel->tx.producer; i++)
		mark(umem, seen, kernel->tx.desc[SLOT(i)].addr, SL_FRAME_TX);
	for (uint32_t i = 0; i < kernel->n_on_wire; i++)
		mark(umem, seen, kernel->on_wire[i], SL_FRAME_TX);
	for (uint32_t i = kernel->comp.consumer; i != kernel->comp.producer;
	     i++)
		mark(umem, seen, kernel->comp.addr[SLOT(i)], SL_FRAME_TX);
}

void mock_kernel_audit(const struct mock_kernel *kernel, uint32_t n)
{
	const struct sl_umem *umem = kernel->umem;
	uint8_t *seen = calloc(umem->frames, 1);

	expect(seen, "there is memory");
	for (uint32_t i = 0; i < n; i++)
		mark_kernel(&kernel[i], seen);
	for (uint32_t i = 0; i < umem->count[SL_FRAME_FREE]; i++)
		mark(umem, seen, (uint64_t)umem->free[i] << SL_FRAME_SHIFT,
		     SL_FRAME_FREE);
	for (uint32_t i = 0; i < umem->frames; i++)
		expect(seen[i], "no frame is lost");
	free(seen);
}
