/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A port: where a worker takes packets from and puts packets to. What it does that with is its
 * back end, one const struct of operations:
 *
 *   sl_fwd_port_xsk      one RX and one TX queue of an interface, by AF_XDP (port_xsk.c)
 *   sl_fwd_port_packet   an interface, by AF_PACKET (port_packet.h)
 *   sl_fwd_port_pcap     pcap files (port_pcap.h)
 *
 * None of the operations waits longer than it says, none allocates. What the kernel must be told
 * about an AF_XDP socket goes through `wake`, so that a test can stand in for the kernel
 * behind the rings (tests/unit/mock_kernel.h).
 *
 * Threads: the operations belong to the worker. Counters have one writer and may be read by any
 * thread with sl_count_read(). `link` is written by the main thread and read by the worker.
 */
#ifndef SLUICE_FWD_PORT_H
#define SLUICE_FWD_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "burst.h"
#include "busy.h"
#include "umem.h"
#include "xsk.h"

/* Frames that a port may have with the kernel for reception, and for transmission. */
#define SL_PORT_FILL SL_XSK_RING
#define SL_PORT_TX SL_XSK_RING
/* With these, every ring of every port can be full at once: a stuck port starves no other. */
#define SL_PORT_FRAMES (SL_PORT_FILL + SL_PORT_TX)

struct sl_fwd_counters {
	uint64_t rx_packets, rx_bytes;
	uint64_t tx_packets, tx_bytes; /* put on the TX ring */
	/*
	 * Of these, dropped by the kernel in copy mode (no carrier), as far as our kicks were
	 * told: ppoll() sends, too, and says nothing. A lower bound.
	 */
	uint64_t tx_refused;
	uint64_t drops
		[SL_FWD_DROP_COUNT]; /* of packets that should have left here */
	uint64_t wake_tx;	     /* system calls */
	uint64_t idle_polls; /* the same: busy polls that brought nothing */
};

struct sl_fwd_port;
struct sl_fwd_packet_socket;
struct sl_fwd_pcap;
struct sl_fwd_route;

/* 0 or -errno, without waiting. */
struct sl_fwd_wake {
	int (*tx)(struct sl_fwd_port *port); /* send what is on the TX ring */
	int (*rx)(struct sl_fwd_port
			  *port); /* look at the fill ring; busy-poll */
};

/*
 * What a back end does for the worker. No operation is NULL. Where one of them has nothing to
 * do (a file has no fill ring) it does nothing.
 */
struct sl_fwd_port_ops {
	const char *name; /* as statistics print it */
	/* Whether a round has packets to find here, or NAPI to drive: a look, no call. */
	bool (*ready)(const struct sl_fwd_port *port);
	/*
	 * Adds whole packets to the empty burst; their frames are then in RX, their output is
	 * the peer, as a wire has it.
	 */
	void (*rx_burst)(struct sl_fwd_port *port, struct sl_fwd_burst *burst);
	/*
	 * Sends packets `from` to before `end`, of which none has another output, except those
	 * dropped already; their frames go from STAGE to TX. What does not fit after a
	 * bounded number of kicks is marked dropped, whole.
	 */
	void (*tx_burst)(struct sl_fwd_port *port, struct sl_fwd_burst *burst,
			 uint32_t from, uint32_t end, uint64_t now_ns);
	/* Takes the frames that were sent back. */
	void (*reap)(struct sl_fwd_port *port);
	/* Brings the fill ring back to its target as far as there are free frames. */
	void (*refill)(struct sl_fwd_port *port);
	/* Descriptors that the kernel was given to send and has not taken. */
	uint32_t (*pending)(const struct sl_fwd_port *port);
	/* Has these sent, with a bounded number of calls; reaps meanwhile. */
	void (*kick)(struct sl_fwd_port *port, uint64_t now_ns);
	/*
	 * Wakes a driver that found the fill ring empty and waits to be told of new frames;
	 * drives NAPI where busy polling is on and the last rx_burst found nothing. At most
	 * one system call; true if there was one.
	 */
	bool (*rx_wake)(struct sl_fwd_port *port, uint64_t now_ns);
	/* Readable when packets came; -1: none. */
	int (*fd)(const struct sl_fwd_port *port);
	/* Reads the kernel's counters into port->kernel; a failure leaves them. Main thread. */
	void (*stats)(struct sl_fwd_port *port);
	/*
	 * When no packet comes any more and the worker has ended: frees every frame that the
	 * kernel gives back. What is left in fill_out and tx_out it held outside its rings.
	 * None of the frames is given to a ring again: what follows is close.
	 */
	void (*reclaim)(struct sl_fwd_port *port);
	void (*close)(struct sl_fwd_port *port); /* a closed one is fine */
};

struct sl_fwd_port {
	const struct sl_fwd_port_ops *ops;
	struct sl_xsk xsk;		     /* of the back end xsk */
	struct sl_fwd_packet_socket *socket; /* of the back end packet; owned */
	struct sl_fwd_pcap *pcap;	     /* of the back end pcap; owned */
	struct sl_umem *umem;		     /* the worker's */
	struct sl_fwd_port *
		peer; /* where packets received here leave; itself with `route` */
	const struct sl_fwd_route
		*route; /* who chooses the output; NULL: the wire */
	const struct sl_fwd_wake *wake;
	uint32_t fill_out; /* frames in FILL that were given to this port */
	uint32_t tx_out;   /* frames in TX that were given to this port */
	uint64_t pending_since_ns; /* first unkicked descriptor; 0: none */
	uint64_t quiet_until_ns; /* no TX kick before: the last one achieved nothing */
	uint64_t rx_quiet_until_ns; /* no RX wakeup before */
	bool stalled;	/* the last kick achieved nothing, with all its calls */
	bool rx_idle;	/* the last rx_burst found nothing */
	bool rx_cut;	/* in the middle of a packet that is being dropped */
	bool down;	/* the kernel said so at the last kick */
	bool link;	/* atomic: the main thread sees a link and a TX queue */
	bool busy_poll; /* atomic: drive NAPI from here */
	bool busy_seen; /* atomic: and the worker was seen to run it */
	bool rests; /* the worker's: no driving while it sleeps between packets */
	struct sl_fwd_counters count;
	/* For the main thread and the statistics. */
	uint32_t iface; /* index among the forwarder's interfaces */
	uint32_t queue;
	struct {
		bool told;   /* the kernel says of each queue, as last read: */
		uint32_t id; /* of the socket at its trial */
		uint32_t rx, tx; /* of its queue; 0: none is named */
		uint32_t tried;	 /* `rx` as of the last trial */
		bool prefers;	 /* polls to interrupts, the same */
	} napi;
	enum sl_busy busy;	      /* where its admission is */
	bool deferred;		      /* interrupts, as the agent has set it */
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

/* AF_XDP. sl_fwd_worker_init() sets it, and the system calls of a socket. */
extern const struct sl_fwd_port_ops sl_fwd_port_xsk;
extern const struct sl_fwd_wake sl_fwd_wake_xsk;

#endif /* SLUICE_FWD_PORT_H */
