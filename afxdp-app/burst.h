/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Up to SL_BURST packets on their way through a worker: a port's rx_burst puts them here,
 * the worker gives each an output, the stages look at them in turn, tx_burst sends them.
 * A packet is one or more buffers of the worker's UMEM (XDP_PKT_CONTD), all of them in the
 * state STAGE while stages see it (umem.h).
 *
 * A stage may change a packet's bytes, its `out`, and `drop`, from SL_FWD_KEEP to a reason;
 * it passes over what another one has dropped already. It never frees, keeps or adds a buffer,
 * never changes a length and waits for nothing: the worker frees what is dropped and counts
 * it, once, under its reason at `out`.
 *
 * One thread, the worker's. Nothing here outlives the round it is in.
 */
#ifndef SLUICE_FWD_BURST_H
#define SLUICE_FWD_BURST_H

#include <linux/if_xdp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

struct sl_fwd_port;
struct sl_umem;

/* Linux 6.6 on (include/uapi/linux/if_xdp.h): the packet goes on in the next descriptor. */
#ifndef XDP_PKT_CONTD
#define XDP_PKT_CONTD (1u << 0)
#endif

/*
 * Packets, and buffers, handled at once. Not measured: 64 is the burst of design.md and of
 * DPDK's and the kernel's loops (NAPI_POLL_WEIGHT). Larger spreads the rings' barriers thinner
 * and makes the other ports of the worker wait longer; the whole burst is 3 KB, so it stays in
 * the first-level cache. A packet of 9,000 bytes has 3 buffers, the kernel's longest
 * 18 (MAX_SKB_FRAGS + 1), so a burst always holds one whole.
 */
#define SL_BURST 64u

/*
 * Why a packet that was received was not sent; counted at the port it should have left by. The
 * last three are found before there is an output, and counted where it came in.
 */
#define SL_FWD_DROPS(X)                                                    \
	X(TX_FULL, tx_full, "no room in the TX ring after a bounded wait") \
	X(LINK_DOWN, link_down,                                            \
	  "the interface is down, without carrier, or gone")               \
	X(POLICED, policed, "over the rate of a police stage")             \
	X(STAGE, stage, "by a stage of the operator's own")                \
	X(INVALID, invalid,                                                \
	  "a buffer of it was not the kernel's to hand over")              \
	X(TOO_LONG, too_long,                                              \
	  "of more buffers than a burst holds, or cut short")              \
	X(NO_ROUTE, no_route,                                              \
	  "to be routed, and the filter did not tell where to")

enum sl_fwd_drop {
	SL_FWD_KEEP, /* not dropped */
#define X(id, text, help) SL_FWD_DROP_##id,
	SL_FWD_DROPS(X)
#undef X
		SL_FWD_DROP_COUNT
};

/* `rule` where the filter did not say. */
#define SL_FWD_RULE_NONE UINT32_MAX

struct sl_fwd_packet {
	uint8_t *data;		 /* the first buffer: Ethernet header on */
	struct sl_fwd_port *out; /* never NULL */
	uint32_t len;		 /* of all buffers; the frame without FCS */
	uint32_t rule; /* slot of the filter's rule that forwarded it */
	uint16_t head_bytes; /* of the first buffer, at data: all of the packet or its head */
	uint16_t flags; /* SL_META_* of the filter; 0 where it did not say */
	uint8_t first, n_bufs; /* burst->buf[first] on; at least 1 */
	uint8_t drop;	       /* enum sl_fwd_drop */
	uint8_t pad;
};

_Static_assert(sizeof(struct sl_fwd_packet) == 32, "two to a cache line");
_Static_assert(SL_BURST <= UINT8_MAX, "`first` and `n_bufs` have 8 bits");

struct sl_fwd_burst {
	struct sl_fwd_port *in; /* where all of them came in */
	uint32_t n;		/* packets */
	uint32_t n_bufs;	/* of all packets */
	uint64_t bytes;		/* the same */
	struct sl_fwd_packet packet[SL_BURST];
	struct xdp_desc buf[SL_BURST]; /* as the RX ring had them */
};

/* Empties it; the rest needs no initial value. */
static inline void sl_fwd_burst_init(struct sl_fwd_burst *burst,
				     struct sl_fwd_port *in)
{
	burst->in = in;
	burst->n = 0;
	burst->n_bufs = 0;
	burst->bytes = 0;
}

/*
 * Takes up what the filter tells of the packets: rule and flags. The magic in front of them is
 * cleared; the rest of struct sl_meta stays there until the frame is filled anew.
 */
void sl_fwd_burst_learn(struct sl_fwd_burst *burst);

/* RX -> STAGE, all buffers: every packet has its output now. */
void sl_fwd_burst_stage(const struct sl_fwd_burst *burst, struct sl_umem *umem);

/* STAGE -> FREE and counted at `out`: what is dropped by now. */
void sl_fwd_burst_drop(const struct sl_fwd_burst *burst, struct sl_umem *umem);

/* Where a packet that is copied begins in its frames, and how long one can be. */
#define SL_BURST_HEADROOM 256u /* as the kernel's, XDP_PACKET_HEADROOM */
#define SL_BURST_PACKET_MAX (SL_BURST * (SL_FRAME_BYTES - SL_BURST_HEADROOM))

/*
 * For back ends that copy: a packet of `len` bytes (at least 1) that was received, spread over
 * as many frames as it takes, FREE -> RX. False, and nothing is taken: the burst or the UMEM
 * has no room for it.
 */
bool sl_fwd_burst_put(struct sl_fwd_burst *burst, const void *bytes,
		      uint32_t len);

/* Likewise: where the bytes of a packet are. `vec` has room for packet->n_bufs. */
void sl_fwd_burst_vector(const struct sl_fwd_burst *burst,
			 const struct sl_fwd_packet *packet,
			 const struct sl_umem *umem, struct iovec *vec);

#endif /* SLUICE_FWD_BURST_H */
