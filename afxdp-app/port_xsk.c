// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What the rings of reception do when they are full or empty:
 *
 *   RX ring     never overflows: a port has at most SL_PORT_FILL frames with the kernel for
 *               reception, and the ring holds as many. Under overload the fill ring runs
 *               empty and the kernel drops (rx_fill_ring_empty_descs, or rx_dropped).
 *   fill ring   refilled to its target whenever it lacks a burst, as far as frames are free
 *               and the ring has room, never all or nothing.
 *
 * A packet of several descriptors (XDP_PKT_CONTD) is taken off the RX ring when its last one
 * is there, not before. Copy mode publishes all at once; a zero-copy driver may not.
 */
#include "port.h"

#include <errno.h>
#include <sys/socket.h>

#include "port_xsk.h"

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

/* The frame at `addr`, FILL -> RX; false if it is not one that this port was to fill. */
static inline bool rx_take(struct sl_fwd_port *port, uint64_t addr,
			   uint32_t len)
{
	uint32_t room = SL_FRAME_BYTES - (uint32_t)(addr % SL_FRAME_BYTES);

	if (__builtin_expect(!port->fill_out, 0)) {
		sl_umem_violate(port->umem);
		return false;
	}
	if (!sl_umem_move(port->umem, addr, SL_FRAME_FILL, SL_FRAME_RX))
		return false;
	port->fill_out--;
	if (__builtin_expect(len && len <= room, 1))
		return true;
	/*
	 * It would reach into the next frame, which is another packet's; or is empty, which a
	 * TX ring does not take: the frame would not come back (xp_aligned_validate_desc()).
	 */
	sl_umem_violate(port->umem);
	sl_umem_give(port->umem, addr, SL_FRAME_RX);
	return false;
}

/* FILL -> FREE: `n` descriptors whose packets nobody will see. */
static void rx_free(struct sl_fwd_port *port, uint32_t index, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct xdp_desc *desc =
			xsk_ring_cons__rx_desc(&port->xsk.rx, index + i);

		if (rx_take(port, desc->addr, desc->len))
			sl_umem_give(port->umem, desc->addr, SL_FRAME_RX);
	}
}

static void rx_drop(struct sl_fwd_port *port, enum sl_fwd_drop reason)
{
	sl_count_add(&port->count.rx_packets, 1);
	sl_count_add(&port->count.drops[reason], 1);
}

/*
 * Descriptors of the packet at `index`, of which `n` are there; 0: its end is not among them.
 */
static uint32_t rx_whole(const struct sl_fwd_port *port, uint32_t index,
			 uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (!(xsk_ring_cons__rx_desc(&port->xsk.rx, index + i)->options &
		      XDP_PKT_CONTD))
			return i + 1;
	return 0;
}

/* The packet of `n` descriptors at `index`: if one of them is not ours, none of it is used. */
static void rx_packet(struct sl_fwd_port *port, struct sl_fwd_burst *burst,
		      uint32_t index, uint32_t n)
{
	struct sl_fwd_packet *packet = &burst->packet[burst->n];
	uint32_t first = burst->n_bufs, len = 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct xdp_desc *desc =
			xsk_ring_cons__rx_desc(&port->xsk.rx, index + i);

		if (!rx_take(port, desc->addr, desc->len))
			continue;
		len += desc->len;
		burst->buf[burst->n_bufs++] = *desc;
	}
	if (burst->n_bufs - first != n) {
		while (burst->n_bufs > first)
			sl_umem_give(port->umem,
				     burst->buf[--burst->n_bufs].addr,
				     SL_FRAME_RX);
		rx_drop(port, SL_FWD_DROP_INVALID);
		return;
	}
	*packet = (struct sl_fwd_packet){
		.data = sl_umem_data(port->umem, burst->buf[first].addr),
		.out = port->peer,
		.len = len,
		.rule = SL_FWD_RULE_NONE,
		.head_bytes = (uint16_t)burst->buf[first].len,
		.first = (uint8_t)first,
		.n_bufs = (uint8_t)n,
	};
	burst->bytes += len;
	burst->n++;
}

static inline bool rx_plain(const struct xdp_desc *desc)
{
	return !(desc->options & XDP_PKT_CONTD) &&
	       desc->len - 1 < SL_FRAME_BYTES - desc->addr % SL_FRAME_BYTES;
}

/*
 * Nearly all packets: those of one descriptor, at `index` and after it, up to the first that is
 * not, or is not ours, which is left to rx_packet(). How many of the `n` these were.
 */
static uint32_t rx_singles(struct sl_fwd_port *port, struct sl_fwd_burst *burst,
			   uint32_t index, uint32_t n)
{
	struct sl_fwd_packet *packet = &burst->packet[burst->n];
	struct xdp_desc *buf = &burst->buf[burst->n_bufs];
	struct sl_fwd_port *peer = port->peer;
	const struct xsk_ring_cons rx = port->xsk.rx;
	const struct sl_umem umem = *port->umem;
	uint32_t first = burst->n_bufs;
	uint64_t bytes = 0;
	uint32_t i;

	if (n > port->fill_out)
		n = port->fill_out;
	for (i = 0; i < n; i++, packet++, buf++) {
		const struct xdp_desc desc =
			*xsk_ring_cons__rx_desc(&rx, index + i);

		if (!rx_plain(&desc) ||
		    !sl_umem_try(&umem, desc.addr, SL_FRAME_FILL, SL_FRAME_RX))
			break;
		*buf = (struct xdp_desc){ .addr = desc.addr, .len = desc.len };
		*packet = (struct sl_fwd_packet){
			.data = sl_umem_data(&umem, desc.addr),
			.out = peer,
			.len = desc.len,
			.rule = SL_FWD_RULE_NONE,
			.head_bytes = (uint16_t)desc.len,
			.first = (uint8_t)(first + i),
			.n_bufs = 1,
		};
		bytes += desc.len;
	}
	sl_umem_moved(port->umem, SL_FRAME_FILL, SL_FRAME_RX, i);
	port->fill_out -= i;
	burst->n += i;
	burst->n_bufs += i;
	burst->bytes += bytes;
	return i;
}

/*
 * `n` descriptors of a packet that is longer than a burst. No kernel makes one, but it would be
 * waited for without an end. What follows of it is dropped as it comes.
 */
static void rx_discard(struct sl_fwd_port *port, uint32_t index, uint32_t n,
		       bool ends)
{
	if (!port->rx_cut)
		rx_drop(port, SL_FWD_DROP_TOO_LONG);
	port->rx_cut = !ends;
	rx_free(port, index, n);
}

/* peek() reads the producer when it knows of nothing, not when it knows of too little. */
static void rx_look(struct xsk_ring_cons *rx)
{
	rx->cached_prod = __atomic_load_n(rx->producer, __ATOMIC_ACQUIRE);
}

static void xsk_rx_burst(struct sl_fwd_port *port, struct sl_fwd_burst *burst)
{
	struct xsk_ring_cons *rx = &port->xsk.rx;
	uint32_t index = 0, done = 0;
	uint32_t n = xsk_ring_cons__peek(rx, SL_BURST, &index);

	if (!port->rx_cut)
		done = rx_singles(port, burst, index, n);
	while (done < n) {
		uint32_t left = n - done;
		uint32_t whole = rx_whole(port, index + done, left);

		if (port->rx_cut || (!whole && left == SL_BURST))
			rx_discard(port, index + done, whole ? whole : left,
				   whole);
		else if (whole)
			rx_packet(port, burst, index + done, whole);
		else
			break;
		done += whole ? whole : left;
	}
	if (done < n) {
		/* Its end has not come, or only not been looked for. */
		xsk_ring_cons__cancel(rx, n - done);
		rx_look(rx);
	}
	port->rx_idle = !done;
	if (!done)
		return;
	xsk_ring_cons__release(rx, done);
	sl_count_add(&port->count.rx_packets, burst->n);
	sl_count_add(&port->count.rx_bytes, burst->bytes);
}

/* FREE -> FILL: as many as there are free frames. */
static void fill_put(struct sl_fwd_port *port, uint32_t index, uint32_t n)
{
	uint32_t free = port->umem->count[SL_FRAME_FREE];
	struct xsk_ring_prod fill = port->xsk.fill;
	const struct sl_umem umem = *port->umem;

	for (uint32_t i = 0; i < n; i++)
		*xsk_ring_prod__fill_addr(&fill, index + i) =
			sl_umem_try_take(&umem, &free);
	sl_umem_moved(port->umem, SL_FRAME_FREE, SL_FRAME_FILL, n);
}

static void xsk_refill(struct sl_fwd_port *port)
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
	fill_put(port, index, want);
	xsk_ring_prod__submit(&port->xsk.fill, want);
	port->fill_out += want;
}

static bool drives(const struct sl_fwd_port *port)
{
	return !port->rests &&
	       __atomic_load_n(&port->busy_poll, __ATOMIC_RELAXED);
}

/* Relaxed: rx_burst acquires what this has only seen. */
static bool rx_waits(const struct sl_fwd_port *port)
{
	const struct xsk_ring_cons *rx = &port->xsk.rx;

	return __atomic_load_n(rx->producer, __ATOMIC_RELAXED) !=
	       rx->cached_cons;
}

static bool xsk_ready(const struct sl_fwd_port *port)
{
	return rx_waits(port) || drives(port);
}

static bool xsk_rx_wake(struct sl_fwd_port *port, uint64_t now_ns)
{
	bool starved = xsk_ring_prod__needs_wakeup(&port->xsk.fill) &&
		       now_ns >= port->rx_quiet_until_ns;
	bool poll = port->rx_idle && drives(port);

	if (!starved && !poll)
		return false;
	port->wake->rx(port);
	if (!starved && !rx_waits(port))
		sl_count_add(&port->count.idle_polls, 1);
	port->rx_quiet_until_ns = now_ns + QUIET_WOKEN_NS;
	return true;
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

static void xsk_reclaim(struct sl_fwd_port *port)
{
	uint32_t index = 0, n, unread;

	if (!port->xsk.rx.ring)
		return; /* was never opened */
	/*
	 * Before the RX ring: the kernel publishes RX entries first and the fill consumer after
	 * them, so a frame taken off the fill ring by now is seen on the RX ring below.
	 */
	unread = __atomic_load_n(port->xsk.fill.consumer, __ATOMIC_ACQUIRE);
	sl_fwd_xsk_reap(port);
	/* At most a ring full: nothing is added any more. */
	rx_look(&port->xsk.rx);
	n = xsk_ring_cons__peek(&port->xsk.rx, SL_XSK_RING, &index);
	rx_free(port, index, n);
	xsk_ring_cons__release(&port->xsk.rx, n);
	reclaim_fill(port, unread);
	sl_fwd_xsk_reclaim_tx(port);
}

static int xsk_fd(const struct sl_fwd_port *port)
{
	return port->xsk.fd;
}

static void xsk_stats(struct sl_fwd_port *port)
{
	if (port->xsk.fd >= 0)
		sl_xsk_statistics(&port->xsk, &port->kernel);
}

static void xsk_close(struct sl_fwd_port *port)
{
	sl_xsk_close(&port->xsk);
}

const struct sl_fwd_port_ops sl_fwd_port_xsk = {
	.name = "xsk",
	.ready = xsk_ready,
	.rx_burst = xsk_rx_burst,
	.tx_burst = sl_fwd_xsk_tx_burst,
	.reap = sl_fwd_xsk_reap,
	.refill = xsk_refill,
	.pending = sl_fwd_xsk_pending,
	.kick = sl_fwd_xsk_kick,
	.rx_wake = xsk_rx_wake,
	.fd = xsk_fd,
	.stats = xsk_stats,
	.reclaim = xsk_reclaim,
	.close = xsk_close,
};
