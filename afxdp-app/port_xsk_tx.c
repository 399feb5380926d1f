// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What the rings of transmission do when they are full:
 *
 *   TX ring     full: reap, kick, try again at most TX_TRIES times, then drop (tx_full). A
 *               sender that waits for a stuck port would stop all the others of its worker;
 *               dropping is what a switch does.
 *   completion  never overflows: at most SL_PORT_TX frames are on their way, and it holds
 *               as many.
 *
 * The kick: in copy mode sendto() sends synchronously, up to a budget per call, and answers
 *
 *   0                 budget not used up, or nothing to do (also where the queue is over
 *                     real_num_tx_queues: excluded by the plan and watched by the main
 *                     thread), or, on older kernels, completion ring full
 *   EAGAIN            budget used up, completion ring full, or the device's ring full
 *   ENOBUFS, ENOMEM   no socket buffer
 *   EBUSY             the frame was dropped for want of a carrier, and is completed
 *   ENETDOWN, ENXIO   interface down; interface gone
 *
 * and before Linux 6.17 (commit 1eb8b0dac189) it publishes the TX consumer only when the
 * entries that it had looked at before are used up: a call may send its whole budget and leave
 * the ring as it was. So EAGAIN means "call again" as often as the budget needs for what is
 * pending, reaping in between, and a stall is when consumer and completions both stand
 * still through all of these calls. A port that stalled is tried with one call at a time
 * until something moves: a stuck device costs one call per QUIET_STALL_NS, and frames that
 * were sent unseen are driven on all the same.
 */
#include "port_xsk.h"

#include <errno.h>

/*
 * None of these was measured by itself; each is a bound, and this is what it bounds.
 *
 * Attempts to make room on a full TX ring: what a stuck port costs the others of its worker,
 * as each is one kick at most. With 1, a burst is dropped that the next call makes room for.
 */
#define TX_TRIES 4
/*
 * Calls in one kick: 512 packets at the smallest budget, about 0.3 ms. More empties a full
 * ring in fewer rounds, while the other ports wait.
 */
#define KICK_TRIES 16
/*
 * A kick that moved nothing is not repeated at once: the cause needs time, not calls. Ten
 * thousand calls a second are a few percent of a CPU; the ring holds 2 ms at 1 Mpps, so
 * a port that goes on is noticed long before it has to drop.
 */
#define QUIET_STALL_NS 100000ull
/* How often a port that is down is asked whether it is up again: nobody waits for less. */
#define QUIET_DOWN_NS 10000000ull

/* TX -> FREE: how many of the `n` entries at `index` were this port's. */
static uint32_t comp_take(struct sl_fwd_port *port, uint32_t index, uint32_t n)
{
	const struct xsk_ring_cons comp = port->xsk.comp;
	const struct sl_umem umem = *port->umem;
	uint32_t free = umem.count[SL_FRAME_FREE], end = free + port->tx_out;

	for (uint32_t i = 0; i < n; i++) {
		uint64_t addr = *xsk_ring_cons__comp_addr(&comp, index + i);

		/* One more than are out is not of this port, whatever its state. */
		if (free == end ||
		    !sl_umem_try_give(&umem, addr, SL_FRAME_TX, &free))
			sl_umem_violate(port->umem);
	}
	n = free - umem.count[SL_FRAME_FREE];
	sl_umem_moved(port->umem, SL_FRAME_TX, SL_FRAME_FREE, n);
	return n;
}

void sl_fwd_xsk_reap(struct sl_fwd_port *port)
{
	uint32_t index = 0, n;

	if (!port->tx_out)
		return;
	n = xsk_ring_cons__peek(&port->xsk.comp, SL_XSK_RING, &index);
	if (!n)
		return;
	port->tx_out -= comp_take(port, index, n);
	xsk_ring_cons__release(&port->xsk.comp, n);
}

uint32_t sl_fwd_xsk_pending(const struct sl_fwd_port *port)
{
	return port->xsk.tx.cached_prod -
	       __atomic_load_n(port->xsk.tx.consumer, __ATOMIC_ACQUIRE);
}

enum kick {
	KICK_MOVED, /* the consumer or the completions */
	KICK_AGAIN, /* nothing seen to move; it asks for another call */
	KICK_STILL, /* nothing moved, and another call is of no use now */
	KICK_LATER, /* the port is down, or a driver was woken */
};

/* One call, and the completions that it brought. */
static enum kick kick_once(struct sl_fwd_port *port, uint64_t now_ns)
{
	uint32_t pending = sl_fwd_xsk_pending(port), out = port->tx_out;
	int err = port->wake->tx(port);

	sl_count_add(&port->count.wake_tx, 1);
	port->down = err == -ENETDOWN || err == -ENXIO || err == -ENODEV;
	if (port->down) {
		port->quiet_until_ns = now_ns + QUIET_DOWN_NS;
		return KICK_LATER;
	}
	/* Zero-copy: the driver was woken and takes the descriptors in its own time. */
	if (port->xsk.zerocopy) {
		port->quiet_until_ns = now_ns + QUIET_WOKEN_NS;
		return KICK_LATER;
	}
	if (err == -EBUSY)
		sl_count_add(&port->count.tx_refused, 1);
	/* A full completion ring answers EAGAIN: make room before the next call. */
	sl_fwd_xsk_reap(port);
	if (sl_fwd_xsk_pending(port) != pending || port->tx_out != out)
		return KICK_MOVED;
	return err == -EAGAIN ? KICK_AGAIN : KICK_STILL;
}

/*
 * Calls that may be needed: one for each budget, and one that finds the ring empty, which is
 * what publishes the consumer before Linux 6.17.
 */
static uint32_t kick_calls(const struct sl_fwd_port *port, uint32_t pending)
{
	uint32_t budget = port->xsk.tx_budget;
	uint32_t calls = (pending + budget - 1) / budget + 1;

	if (port->stalled)
		return 1;
	return calls < KICK_TRIES ? calls : KICK_TRIES;
}

void sl_fwd_xsk_kick(struct sl_fwd_port *port, uint64_t now_ns)
{
	uint32_t pending = sl_fwd_xsk_pending(port);
	uint32_t calls = kick_calls(port, pending);
	enum kick last = KICK_AGAIN;
	bool moved = false;

	if (!pending || now_ns < port->quiet_until_ns ||
	    !xsk_ring_prod__needs_wakeup(&port->xsk.tx))
		return;
	while (pending && calls-- && last != KICK_STILL && last != KICK_LATER) {
		last = kick_once(port, now_ns);
		moved |= last == KICK_MOVED;
		pending = sl_fwd_xsk_pending(port);
	}
	if (!pending)
		port->pending_since_ns = 0;
	if (last == KICK_LATER)
		return;
	port->stalled = !moved;
	if (!moved)
		port->quiet_until_ns = now_ns + QUIET_STALL_NS;
}

/* Whether packets may be sent here; a port that was down is asked again now and then. */
static bool port_usable(struct sl_fwd_port *port, uint64_t now_ns)
{
	if (!__atomic_load_n(&port->link, __ATOMIC_RELAXED))
		return false;
	if (port->down && now_ns >= port->quiet_until_ns)
		kick_once(port, now_ns);
	return !port->down;
}

static uint32_t tx_room(struct sl_fwd_port *port, uint32_t wanted)
{
	uint32_t ring = xsk_prod_nb_free(&port->xsk.tx, wanted);
	uint32_t limit = SL_PORT_TX - port->tx_out;

	return ring < limit ? ring : limit;
}

static uint32_t tx_room_wait(struct sl_fwd_port *port, uint32_t wanted,
			     uint64_t now_ns)
{
	uint32_t room = tx_room(port, wanted);

	for (int i = 0; i < TX_TRIES && room < wanted && !port->down; i++) {
		sl_fwd_xsk_reap(port);
		sl_fwd_xsk_kick(port, now_ns);
		room = tx_room(port, wanted);
	}
	return room;
}

static void drop(struct sl_fwd_burst *burst, uint32_t from, uint32_t end,
		 enum sl_fwd_drop reason)
{
	for (uint32_t i = from; i < end; i++)
		if (burst->packet[i].drop == SL_FWD_KEEP)
			burst->packet[i].drop = (uint8_t)reason;
}

static uint32_t wanted_bufs(const struct sl_fwd_burst *burst, uint32_t from,
			    uint32_t end)
{
	uint32_t n = 0;

	for (uint32_t i = from; i < end; i++)
		if (burst->packet[i].drop == SL_FWD_KEEP)
			n += burst->packet[i].n_bufs;
	return n;
}

struct tx_sum {
	uint32_t packets;
	uint64_t bytes;
};

static void tx_count(struct sl_fwd_port *port, const struct tx_sum *sum,
		     uint64_t now_ns)
{
	if (!port->pending_since_ns)
		port->pending_since_ns = now_ns;
	sl_count_add(&port->count.tx_packets, sum->packets);
	sl_count_add(&port->count.tx_bytes, sum->bytes);
}

/*
 * Drops what does not fit into `room`. Whole or not at all: half a packet would stop the ring for
 * all that follow it.
 */
static void tx_fit(const struct sl_fwd_port *port, struct sl_fwd_burst *burst,
		   uint32_t from, uint32_t end, uint32_t room)
{
	uint32_t n = 0;

	for (uint32_t i = from; i < end; i++) {
		if (burst->packet[i].drop != SL_FWD_KEEP)
			continue;
		if (burst->packet[i].n_bufs > room - n)
			drop(burst, i, i + 1,
			     port->down ? SL_FWD_DROP_LINK_DOWN :
					  SL_FWD_DROP_TX_FULL);
		else
			n += burst->packet[i].n_bufs;
	}
}

/*
 * STAGE -> TX: puts what is not dropped on the ring, for which there is room, and counts it.
 * Options of an RX descriptor are not options of a TX descriptor, but for XDP_PKT_CONTD.
 */
static uint32_t tx_put(struct sl_fwd_port *port,
		       const struct sl_fwd_burst *burst, uint32_t from,
		       uint32_t end, struct tx_sum *sum)
{
	struct xsk_ring_prod tx = port->xsk.tx;
	const struct sl_umem umem = *port->umem;
	struct tx_sum all = { 0 };
	uint32_t index = tx.cached_prod;

	for (uint32_t i = from; i < end; i++) {
		const struct sl_fwd_packet *packet = &burst->packet[i];
		const struct xdp_desc *buf = &burst->buf[packet->first];

		if (packet->drop != SL_FWD_KEEP)
			continue;
		all.bytes += packet->len;
		all.packets++;
		for (uint32_t left = packet->n_bufs; left--; buf++) {
			*xsk_ring_prod__tx_desc(&tx, index++) =
				(struct xdp_desc){
					.addr = buf->addr,
					.len = buf->len,
					.options = left ? XDP_PKT_CONTD : 0
				};
			sl_umem_try(&umem, buf->addr, SL_FRAME_STAGE,
				    SL_FRAME_TX);
		}
	}
	*sum = all;
	return index - tx.cached_prod;
}

void sl_fwd_xsk_tx_burst(struct sl_fwd_port *port, struct sl_fwd_burst *burst,
			 uint32_t from, uint32_t end, uint64_t now_ns)
{
	uint32_t room, sent, index;
	struct tx_sum sum;

	if (!port_usable(port, now_ns)) {
		drop(burst, from, end, SL_FWD_DROP_LINK_DOWN);
		return;
	}
	room = tx_room(port, burst->n_bufs);
	if (room < burst->n_bufs) {
		room = tx_room_wait(port, wanted_bufs(burst, from, end),
				    now_ns);
		tx_fit(port, burst, from, end, room);
	}
	sent = tx_put(port, burst, from, end, &sum);
	if (!sent || !xsk_ring_prod__reserve(&port->xsk.tx, sent, &index))
		return;
	sl_umem_moved(port->umem, SL_FRAME_STAGE, SL_FRAME_TX, sent);
	xsk_ring_prod__submit(&port->xsk.tx, sent);
	port->tx_out += sent;
	tx_count(port, &sum, now_ns);
}

/*
 * The same of the TX ring. A kernel before 6.17 may have sent, and completed, entries past the
 * consumer that it published. It takes them in order and tx_out is what was not completed,
 * so what it never looked at is among the last tx_out entries; the others of these were still
 * on their way, and are given back here rather than counted as unsent.
 */
void sl_fwd_xsk_reclaim_tx(struct sl_fwd_port *port)
{
	struct xsk_ring_prod *tx = &port->xsk.tx;
	uint32_t n = sl_fwd_xsk_pending(port);

	if (n > port->tx_out)
		n = port->tx_out;
	for (uint32_t i = tx->cached_prod - n; i != tx->cached_prod; i++)
		if (sl_umem_give(port->umem,
				 xsk_ring_prod__tx_desc(tx, i)->addr,
				 SL_FRAME_TX))
			port->tx_out--;
}
