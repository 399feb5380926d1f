// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What each ring does when it is full or empty:
 *
 *   RX ring     never overflows: a port has at most SL_PORT_FILL frames with the kernel for
 *               reception, and the ring holds as many. Under overload the fill ring runs
 *               empty and the kernel drops (rx_fill_ring_empty_descs, or rx_dropped).
 *   fill ring   refilled to its target whenever it lacks a burst, as far as frames are free
 *               and the ring has room, never all or nothing.
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
#include "port.h"

#include <errno.h>
#include <sys/socket.h>

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
/*
 * A zero-copy driver that was just woken runs NAPI first; a second call is wasted. A guess at
 * interrupt and NAPI latency; a smaller one only adds calls, a larger one delays a lost wakeup.
 */
#define QUIET_WOKEN_NS 20000ull

static int xsk_wake_tx(struct sl_fwd_port *port)
{
	return sendto(port->xsk.fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 ?
		       -errno :
		       0;
}

static int xsk_wake_rx(struct sl_fwd_port *port)
{
	return recvfrom(port->xsk.fd, NULL, 0, MSG_DONTWAIT, NULL, NULL) < 0 ?
		       -errno :
		       0;
}

const struct sl_fwd_wake sl_fwd_wake_xsk = { .tx = xsk_wake_tx,
					     .rx = xsk_wake_rx };

uint32_t sl_fwd_port_rx_burst(struct sl_fwd_port *port, struct xdp_desc *burst,
			      uint32_t max)
{
	uint32_t index = 0, kept = 0;
	uint32_t n = xsk_ring_cons__peek(&port->xsk.rx, max, &index);
	uint64_t bytes = 0;

	port->rx_idle = !n;
	if (!n)
		return 0;
	for (uint32_t i = 0; i < n; i++) {
		const struct xdp_desc *desc =
			xsk_ring_cons__rx_desc(&port->xsk.rx, index + i);

		if (!sl_umem_move(port->umem, desc->addr, SL_FRAME_FILL,
				  SL_FRAME_RX))
			continue;
		burst[kept] = *desc;
		bytes += desc->len;
		kept++;
	}
	xsk_ring_cons__release(&port->xsk.rx, n);
	port->fill_out -= kept;
	sl_count_add(&port->count.rx_packets, kept);
	sl_count_add(&port->count.rx_bytes, bytes);
	return kept;
}

void sl_fwd_port_reap(struct sl_fwd_port *port)
{
	uint32_t index = 0;
	uint32_t n;

	if (!port->tx_out)
		return;
	n = xsk_ring_cons__peek(&port->xsk.comp, SL_XSK_RING, &index);
	if (!n)
		return;
	for (uint32_t i = 0; i < n; i++) {
		uint64_t addr =
			*xsk_ring_cons__comp_addr(&port->xsk.comp, index + i);

		if (sl_umem_give(port->umem, addr, SL_FRAME_TX))
			port->tx_out--;
	}
	xsk_ring_cons__release(&port->xsk.comp, n);
}

void sl_fwd_port_refill(struct sl_fwd_port *port)
{
	uint32_t want = SL_PORT_FILL - port->fill_out;
	uint32_t index = 0, room;

	/* Below a burst the ring's barrier and cache miss cost more than the frames gain. */
	if (want < SL_BURST)
		return;
	if (want > port->umem->count[SL_FRAME_FREE])
		want = port->umem->count[SL_FRAME_FREE];
	/*
	 * In copy mode the kernel moves the fill consumer after it has put the packets of a
	 * NAPI poll on the RX ring (xsk_flush()), so for a moment the ring lags behind fill_out.
	 */
	room = xsk_prod_nb_free(&port->xsk.fill, want);
	if (want > room)
		want = room;
	if (!want || !xsk_ring_prod__reserve(&port->xsk.fill, want, &index))
		return;
	for (uint32_t i = 0; i < want; i++)
		*xsk_ring_prod__fill_addr(&port->xsk.fill, index + i) =
			sl_umem_take(port->umem);
	xsk_ring_prod__submit(&port->xsk.fill, want);
	port->fill_out += want;
}

uint32_t sl_fwd_port_pending(const struct sl_fwd_port *port)
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
	uint32_t pending = sl_fwd_port_pending(port), out = port->tx_out;
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
	sl_fwd_port_reap(port);
	if (sl_fwd_port_pending(port) != pending || port->tx_out != out)
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

void sl_fwd_port_kick(struct sl_fwd_port *port, uint64_t now_ns)
{
	uint32_t pending = sl_fwd_port_pending(port);
	uint32_t calls = kick_calls(port, pending);
	enum kick last = KICK_AGAIN;
	bool moved = false;

	if (!pending || now_ns < port->quiet_until_ns ||
	    !xsk_ring_prod__needs_wakeup(&port->xsk.tx))
		return;
	while (pending && calls-- && last != KICK_STILL && last != KICK_LATER) {
		last = kick_once(port, now_ns);
		moved |= last == KICK_MOVED;
		pending = sl_fwd_port_pending(port);
	}
	if (!pending)
		port->pending_since_ns = 0;
	if (last == KICK_LATER)
		return;
	port->stalled = !moved;
	if (!moved)
		port->quiet_until_ns = now_ns + QUIET_STALL_NS;
}

bool sl_fwd_port_rx_wake(struct sl_fwd_port *port, uint64_t now_ns)
{
	bool starved = xsk_ring_prod__needs_wakeup(&port->xsk.fill) &&
		       now_ns >= port->rx_quiet_until_ns;
	bool poll = port->rx_idle &&
		    __atomic_load_n(&port->busy_poll, __ATOMIC_RELAXED);

	if (!starved && !poll)
		return false;
	port->wake->rx(port);
	if (!starved)
		sl_count_add(&port->count.idle_polls, 1);
	port->rx_quiet_until_ns = now_ns + QUIET_WOKEN_NS;
	return true;
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
		sl_fwd_port_reap(port);
		sl_fwd_port_kick(port, now_ns);
		room = tx_room(port, wanted);
	}
	return room;
}

static void drop(struct sl_fwd_port *port, const struct xdp_desc *burst,
		 uint32_t n, enum sl_fwd_drop reason)
{
	for (uint32_t i = 0; i < n; i++)
		sl_umem_give(port->umem, burst[i].addr, SL_FRAME_STAGE);
	if (n)
		sl_count_add(&port->count.drops[reason], n);
}

void sl_fwd_port_tx_burst(struct sl_fwd_port *port,
			  const struct xdp_desc *burst, uint32_t n,
			  uint64_t now_ns)
{
	uint32_t index = 0, sent;
	uint64_t bytes = 0;

	if (!port_usable(port, now_ns)) {
		drop(port, burst, n, SL_FWD_DROP_LINK_DOWN);
		return;
	}
	sent = tx_room_wait(port, n, now_ns);
	if (sent > n)
		sent = n;
	if (sent)
		sent = xsk_ring_prod__reserve(&port->xsk.tx, sent, &index);
	for (uint32_t i = 0; i < sent; i++) {
		struct xdp_desc *desc =
			xsk_ring_prod__tx_desc(&port->xsk.tx, index + i);

		/* Options of the RX descriptor are not options of a TX descriptor. */
		*desc = (struct xdp_desc){ .addr = burst[i].addr,
					   .len = burst[i].len };
		sl_umem_move(port->umem, burst[i].addr, SL_FRAME_STAGE,
			     SL_FRAME_TX);
		bytes += burst[i].len;
	}
	if (sent) {
		xsk_ring_prod__submit(&port->xsk.tx, sent);
		port->tx_out += sent;
		if (!port->pending_since_ns)
			port->pending_since_ns = now_ns;
		sl_count_add(&port->count.tx_packets, sent);
		sl_count_add(&port->count.tx_bytes, bytes);
	}
	drop(port, burst + sent, n - sent,
	     port->down ? SL_FWD_DROP_LINK_DOWN : SL_FWD_DROP_TX_FULL);
}

/* Fill ring entries that the kernel never looked at. */
static void reclaim_fill(struct sl_fwd_port *port, uint32_t from)
{
	struct xsk_ring_prod *fill = &port->xsk.fill;

	for (; from != fill->cached_prod; from++)
		if (sl_umem_give(port->umem,
				 *xsk_ring_prod__fill_addr(fill, from),
				 SL_FRAME_FILL))
			port->fill_out--;
}

/*
 * The same of the TX ring. A kernel before 6.17 may have sent, and completed, entries past the
 * consumer that it published. It takes them in order and tx_out is what was not completed,
 * so what it never looked at is among the last tx_out entries; the others of these were still
 * on their way, and are given back here rather than counted as unsent.
 */
static void reclaim_tx(struct sl_fwd_port *port)
{
	struct xsk_ring_prod *tx = &port->xsk.tx;
	uint32_t n = sl_fwd_port_pending(port);

	if (n > port->tx_out)
		n = port->tx_out;
	for (uint32_t i = tx->cached_prod - n; i != tx->cached_prod; i++)
		if (sl_umem_give(port->umem,
				 xsk_ring_prod__tx_desc(tx, i)->addr,
				 SL_FRAME_TX))
			port->tx_out--;
}

void sl_fwd_port_reclaim(struct sl_fwd_port *port)
{
	/*
	 * Before the RX ring: the kernel publishes RX entries first and the fill consumer after
	 * them, so a frame taken off the fill ring by now is seen on the RX ring below.
	 */
	uint32_t unread =
		__atomic_load_n(port->xsk.fill.consumer, __ATOMIC_ACQUIRE);
	struct xdp_desc burst[SL_BURST];
	uint32_t n;

	sl_fwd_port_reap(port);
	/* At most a ring full: nothing is added any more. */
	for (uint32_t i = 0; i <= SL_XSK_RING / SL_BURST; i++) {
		n = sl_fwd_port_rx_burst(port, burst, SL_BURST);
		for (uint32_t k = 0; k < n; k++)
			sl_umem_give(port->umem, burst[k].addr, SL_FRAME_RX);
	}
	reclaim_fill(port, unread);
	reclaim_tx(port);
}
