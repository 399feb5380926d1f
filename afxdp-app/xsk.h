/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One AF_XDP socket with its four rings, set up by hand: libxdp's constructors can neither
 * adopt a descriptor that another process sent nor put a socket on a UMEM whose first
 * socket is gone. The rings are the structs of <xdp/xsk.h>, so its inline accessors work.
 *
 * See Documentation/networking/af_xdp.rst and net/xdp/xsk.c.
 */
#ifndef SLUICE_FWD_XSK_H
#define SLUICE_FWD_XSK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xdp/xsk.h>

#include "lib/config.h"

struct sl_umem;

/*
 * Entries of each ring. A guess, and libxdp's default: 2048 holds 2 ms at 1 Mpps, so
 * a worker that is off its CPU for as long loses nothing. More of them costs cache and TLB (a
 * frame is a page) and memory: 16 MiB a port as it is.
 */
#define SL_XSK_RING 2048u

struct sl_xsk_ring_map {
	void *addr; /* NULL: not mapped */
	size_t bytes;
};

struct sl_xsk {
	int fd;	       /* -1: closed */
	bool zerocopy; /* what the kernel granted */
	bool yielded; /* copy mode for another on its UMEM, which can no other */
	bool multi_buffer; /* the same: packets may take several descriptors */
	uint32_t tx_budget; /* descriptors that one sendto() sends in copy mode */
	struct xsk_ring_prod fill, tx;
	struct xsk_ring_cons comp, rx;
	struct sl_xsk_ring_map map[4];
};

struct sl_xsk_request {
	int ifindex;
	uint32_t queue;
	const struct sl_umem *umem;
	/*
	 * -1: this socket registers the UMEM. Else a bound socket that has it already; its
	 * mode (zero-copy or copy) is this one's, too: the kernel takes no wish here.
	 */
	int share_fd;
	enum sl_zerocopy zerocopy;
	/*
	 * Asks for packets of several descriptors (XDP_USE_SG, Linux 6.6); without, the kernel
	 * drops what does not fit one. An older kernel says no, which is no failure. Where a
	 * driver's zero-copy takes one buffer a packet, this makes it copy mode, or, if zero-copy
	 * is required, EOPNOTSUPP. With share_fd it is the other socket's, too.
	 */
	bool multi_buffer;
};

/*
 * Opens, registers, maps and binds. Waits at most about 2 s for a queue whose last owner
 * is still being torn down (closing a socket is asynchronous, bind says EBUSY meanwhile).
 * 0 or -errno; then *operation names the step that failed, and *xsk holds nothing.
 * Needs CAP_NET_RAW, and CAP_IPC_LOCK where the UMEM exceeds RLIMIT_MEMLOCK.
 */
int sl_xsk_open(struct sl_xsk *xsk, const struct sl_xsk_request *request,
		const char **operation);

/*
 * Closes the socket and unmaps the rings; both, because each ring's mapping holds the file,
 * and the kernel unbinds with the last of them (xsk_release()), and then not at once: another
 * socket on the queue may be told EBUSY for a while. A closed one is fine.
 */
void sl_xsk_close(struct sl_xsk *xsk);

/* Whether the kernel granted zero-copy to a bound socket. */
bool sl_xsk_zerocopy(const struct sl_xsk *xsk);

/* Unmaps the rings; the descriptor stays open. */
void sl_xsk_forget(struct sl_xsk *xsk);

/*
 * Maps the rings of a bound socket, which another process may still use: `xsk` has its fd and
 * multi_buffer. Linux 6.4 on (commit "xsk: allow remap of fill and/or completion rings");
 * before, the kernel refuses. 0, or -errno and nothing is mapped.
 */
int sl_xsk_adopt(struct sl_xsk *xsk);

/* After that, once nobody else uses them: goes on where the rings say. */
void sl_xsk_resume(struct sl_xsk *xsk);

/* The socket's options, by their names (Linux 5.11); all 0 is none. */
struct sl_xsk_polling {
	bool prefer;	 /* SO_PREFER_BUSY_POLL */
	uint32_t us;	 /* SO_BUSY_POLL */
	uint32_t budget; /* SO_BUSY_POLL_BUDGET */
};

/* Busy polling of this socket's NAPI. 0 or -errno. Needs CAP_NET_ADMIN. */
int sl_xsk_busy_poll(const struct sl_xsk *xsk,
		     const struct sl_xsk_polling *polling);

/* The NAPI instance that busy polling would drive; 0: the kernel knows none. Any thread. */
uint32_t sl_xsk_napi_id(const struct sl_xsk *xsk);

/* The kernel's own counters of the socket. 0 or -errno. Any thread. */
int sl_xsk_statistics(const struct sl_xsk *xsk,
		      struct xdp_statistics *statistics);

#endif /* SLUICE_FWD_XSK_H */
