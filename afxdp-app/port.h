/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A port: one RX and one TX queue of an interface as the worker sees it. The worker's own
 * verbs are rx_burst, tx_burst, reap, refill, kick and rx_wake; none waits longer than it
 * says, none allocates. What the kernel must be told goes through `wake`, so that a test (and later
 * another back end) can stand in for it.
 *
 * Threads: the verbs belong to the worker. Counters have one writer and may be read by any
 * thread with sl_count_read(). `link` is written by the main thread and read by the worker.
 */
#ifndef SLUICE_FWD_PORT_H
#define SLUICE_FWD_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "umem.h"
#include "xsk.h"

/*
 * Packets handled at once. Not measured: 64 is the burst of design.md and of DPDK's and the
 * kernel's loops (NAPI_POLL_WEIGHT). Larger spreads the rings' barriers thinner and makes the
 * other ports of the worker wait longer; the descriptors of one are 1 KB, so they stay in
 * the first-level cache.
 */
#define SL_BURST 64u

/* Frames that a port may have with the kernel for reception, and for transmission. */
#define SL_PORT_FILL SL_XSK_RING
#define SL_PORT_TX SL_XSK_RING
/* With these, every ring of every port can be full at once: a stuck port starves no other. */
#define SL_PORT_FRAMES (SL_PORT_FILL + SL_PORT_TX)

/* Why a packet that was received was not sent; counted at the port it should have left by. */
#define SL_FWD_DROPS(X)                                                    \
	X(TX_FULL, tx_full, "no room in the TX ring after a bounded wait") \
	X(LINK_DOWN, link_down,                                            \
	  "the interface is down, without carrier, or gone")

enum sl_fwd_drop {
#define X(id, text, help) SL_FWD_DROP_##id,
	SL_FWD_DROPS(X)
#undef X
		SL_FWD_DROP_COUNT
};

struct sl_fwd_counters {
	uint64_t rx_packets, rx_bytes;
	uint64_t tx_packets, tx_bytes; /* put on the TX ring */
	/*
	 * Of these, dropped by the kernel in copy mode (no carrier), as far as our kicks were
	 * told: ppoll() sends, too, and says nothing. A lower bound.
	 */
	uint64_t tx_refused;
	uint64_t drops[SL_FWD_DROP_COUNT];
	uint64_t wake_tx;    /* system calls */
	uint64_t idle_polls; /* the same: busy polls of an empty RX ring */
};

struct sl_fwd_port;

/* 0 or -errno, without waiting. */
struct sl_fwd_wake {
	int (*tx)(struct sl_fwd_port *port); /* send what is on the TX ring */
	int (*rx)(struct sl_fwd_port
			  *port); /* look at the fill ring; busy-poll */
};

struct sl_fwd_port {
	struct sl_xsk xsk;
	struct sl_umem *umem;	  /* the worker's */
	struct sl_fwd_port *peer; /* where packets received here leave */
	const struct sl_fwd_wake *wake;
	uint32_t fill_out; /* frames in FILL that were given to this port */
	uint32_t tx_out;   /* frames in TX that were given to this port */
	uint64_t pending_since_ns; /* first unkicked descriptor; 0: none */
	uint64_t quiet_until_ns; /* no TX kick before: the last one achieved nothing */
	uint64_t rx_quiet_until_ns; /* no RX wakeup before */
	bool stalled;	/* the last kick achieved nothing, with all its calls */
	bool rx_idle;	/* the last rx_burst found nothing */
	bool down;	/* the kernel said so at the last kick */
	bool link;	/* atomic: the main thread sees a link and a TX queue */
	bool busy_poll; /* atomic: drive NAPI from here */
	struct sl_fwd_counters count;
	/* For the main thread and the statistics. */
	uint32_t iface; /* index among the forwarder's interfaces */
	uint32_t queue;
	bool busy_asked; /* the kernel took the socket options of busy polling */
	uint32_t napi_id;
	uint32_t unsent;	      /* frames in TX when it had ended */
	struct xdp_statistics kernel; /* as last read */
};

/* Relaxed: single writer, no ordering between counters is promised. */
static inline void sl_count_add(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

static inline uint64_t sl_count_read(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* The system calls of an AF_XDP socket. */
extern const struct sl_fwd_wake sl_fwd_wake_xsk;

/* Takes up to `max` (<= SL_BURST) packets off the RX ring; their frames are then in RX. */
uint32_t sl_fwd_port_rx_burst(struct sl_fwd_port *port, struct xdp_desc *burst,
			      uint32_t max);

/*
 * Sends `n` packets whose frames are in STAGE. All of them are taken: what does not fit after
 * a bounded number of kicks is dropped under a counted reason and its frames are FREE.
 */
void sl_fwd_port_tx_burst(struct sl_fwd_port *port,
			  const struct xdp_desc *burst, uint32_t n,
			  uint64_t now_ns);

/* Takes the frames that were sent back from the completion ring. */
void sl_fwd_port_reap(struct sl_fwd_port *port);

/* Brings the fill ring back to its target as far as there are free frames. */
void sl_fwd_port_refill(struct sl_fwd_port *port);

/* Descriptors on the TX ring that the kernel has not taken. */
uint32_t sl_fwd_port_pending(const struct sl_fwd_port *port);

/* Has the kernel send what is pending, with a bounded number of calls; reaps meanwhile. */
void sl_fwd_port_kick(struct sl_fwd_port *port, uint64_t now_ns);

/*
 * Wakes a driver that found the fill ring empty and waits to be told of new frames; drives
 * NAPI where busy polling is on and the last rx_burst found nothing. At most one system
 * call; true if there was one.
 */
bool sl_fwd_port_rx_wake(struct sl_fwd_port *port, uint64_t now_ns);

/*
 * When no packet is directed to the socket any more (sl_fwd_filter_remove() and
 * sl_fwd_filter_settle()) and the worker has ended: reads the four rings and frees every
 * frame found there. What is left in fill_out and tx_out is what the kernel held outside its
 * rings. A zero-copy driver may still take frames off the fill ring, so none of the frames is
 * given to a ring again: what follows is sl_xsk_close().
 */
void sl_fwd_port_reclaim(struct sl_fwd_port *port);

#endif /* SLUICE_FWD_PORT_H */
