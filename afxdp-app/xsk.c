// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "xsk.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "umem.h"

/* Linux 6.17 on (include/uapi/linux/if_xdp.h); Debian 12's headers are older. */
#ifndef XDP_MAX_TX_SKB_BUDGET
#define XDP_MAX_TX_SKB_BUDGET 9
#endif

/* Linux 6.6 on, likewise. */
#ifndef XDP_USE_SG
#define XDP_USE_SG (1 << 4)
#endif

/* What one sendto() sends where the option above is not there (net/xdp/xsk.c). */
#define TX_BATCH_DEFAULT 32u
/*
 * Where it is: two bursts, since a worker that was held up finds more than KICK_BATCH pending.
 * A guess: at 32 a burst takes two calls, above 128 hardly any kick has as much to send.
 */
#define TX_BATCH_WANTED 128u

/*
 * A guess: the end of a socket waits for RCU grace periods and, in zero-copy mode, for the
 * driver to restart the queue. More only delays the refusal where another program holds it.
 */
#define BIND_TRIES 100
#define BIND_PAUSE_NS 20000000L /* 100 times 20 ms: 2 s */

/*
 * struct xdp_umem_reg as of Linux 4.18. Later kernels grew it twice; they take a shorter
 * one as "all later members are 0", while the padding at the end of a longer one is read
 * as a member by a kernel newer than the headers.
 */
struct umem_reg_v1 {
	uint64_t addr;
	uint64_t len;
	uint32_t chunk_size;
	uint32_t headroom;
};

_Static_assert(sizeof(struct umem_reg_v1) == 24,
	       "the first layout of xdp_umem_reg");

enum { RING_FILL, RING_COMP, RING_RX, RING_TX };

static int umem_register(int fd, const struct sl_umem *umem)
{
	struct umem_reg_v1 reg = {
		.addr = (uintptr_t)umem->area,
		.len = (uint64_t)umem->frames << SL_FRAME_SHIFT,
		.chunk_size = SL_FRAME_BYTES,
	};

	return setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &reg, sizeof(reg)) ?
		       -errno :
		       0;
}

static int rings_size(int fd)
{
	static const int option[] = { XDP_UMEM_FILL_RING,
				      XDP_UMEM_COMPLETION_RING, XDP_RX_RING,
				      XDP_TX_RING };
	uint32_t entries = SL_XSK_RING;

	for (size_t i = 0; i < sizeof(option) / sizeof(option[0]); i++)
		if (setsockopt(fd, SOL_XDP, option[i], &entries,
			       sizeof(entries)))
			return -errno;
	return 0;
}

static int ring_map(struct sl_xsk *xsk, int which,
		    const struct xdp_ring_offset *offset, size_t entry_bytes)
{
	static const off_t page[] = { XDP_UMEM_PGOFF_FILL_RING,
				      XDP_UMEM_PGOFF_COMPLETION_RING,
				      XDP_PGOFF_RX_RING, XDP_PGOFF_TX_RING };
	size_t bytes = offset->desc + SL_XSK_RING * entry_bytes;
	void *addr = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_POPULATE, xsk->fd, page[which]);

	if (addr == MAP_FAILED)
		return -errno;
	xsk->map[which] =
		(struct sl_xsk_ring_map){ .addr = addr, .bytes = bytes };
	return 0;
}

static void prod_init(struct xsk_ring_prod *ring, void *map,
		      const struct xdp_ring_offset *offset)
{
	*ring = (struct xsk_ring_prod){
		.mask = SL_XSK_RING - 1,
		.size = SL_XSK_RING,
		.producer = (void *)((char *)map + offset->producer),
		.consumer = (void *)((char *)map + offset->consumer),
		.ring = (char *)map + offset->desc,
		.flags = (void *)((char *)map + offset->flags),
		/* xsk_prod_nb_free() keeps the consumer `size` ahead, see there. */
		.cached_cons = SL_XSK_RING,
	};
}

static void cons_init(struct xsk_ring_cons *ring, void *map,
		      const struct xdp_ring_offset *offset)
{
	*ring = (struct xsk_ring_cons){
		.mask = SL_XSK_RING - 1,
		.size = SL_XSK_RING,
		.producer = (void *)((char *)map + offset->producer),
		.consumer = (void *)((char *)map + offset->consumer),
		.ring = (char *)map + offset->desc,
		.flags = (void *)((char *)map + offset->flags),
	};
}

/* Before bind(): kernels before 6.4 map fill and completion rings of unbound sockets only. */
static int rings_map(struct sl_xsk *xsk)
{
	struct xdp_mmap_offsets offset;
	socklen_t length = sizeof(offset);
	int err;

	if (getsockopt(xsk->fd, SOL_XDP, XDP_MMAP_OFFSETS, &offset, &length))
		return -errno;
	if (length != sizeof(offset))
		return -EPROTO;
	if ((err = ring_map(xsk, RING_FILL, &offset.fr, sizeof(uint64_t))) ||
	    (err = ring_map(xsk, RING_COMP, &offset.cr, sizeof(uint64_t))) ||
	    (err = ring_map(xsk, RING_RX, &offset.rx,
			    sizeof(struct xdp_desc))) ||
	    (err = ring_map(xsk, RING_TX, &offset.tx, sizeof(struct xdp_desc))))
		return err;
	prod_init(&xsk->fill, xsk->map[RING_FILL].addr, &offset.fr);
	cons_init(&xsk->comp, xsk->map[RING_COMP].addr, &offset.cr);
	cons_init(&xsk->rx, xsk->map[RING_RX].addr, &offset.rx);
	prod_init(&xsk->tx, xsk->map[RING_TX].addr, &offset.tx);
	return 0;
}

static int queue_bind(int fd, const struct sl_xsk_request *request,
		      bool multi_buffer)
{
	struct sockaddr_xdp address = {
		.sxdp_family = AF_XDP,
		.sxdp_ifindex = (uint32_t)request->ifindex,
		.sxdp_queue_id = request->queue,
	};

	if (request->share_fd >= 0) {
		address.sxdp_flags = XDP_SHARED_UMEM;
		address.sxdp_shared_umem_fd = (uint32_t)request->share_fd;
	} else {
		address.sxdp_flags = XDP_USE_NEED_WAKEUP;
		if (request->zerocopy == SL_ZC_REQUIRE)
			address.sxdp_flags |= XDP_ZEROCOPY;
		if (request->zerocopy == SL_ZC_OFF)
			address.sxdp_flags |= XDP_COPY;
		if (multi_buffer)
			address.sxdp_flags |= XDP_USE_SG;
	}
	for (int i = 0;; i++) {
		if (!bind(fd, (struct sockaddr *)&address, sizeof(address)))
			return 0;
		if (errno != EBUSY || i == BIND_TRIES)
			return -errno;
		nanosleep(&(struct timespec){ .tv_nsec = BIND_PAUSE_NS }, NULL);
	}
}

bool sl_xsk_zerocopy(const struct sl_xsk *xsk)
{
	struct xdp_options options = { 0 };
	socklen_t length = sizeof(options);

	return !getsockopt(xsk->fd, SOL_XDP, XDP_OPTIONS, &options, &length) &&
	       (options.flags & XDP_OPTIONS_ZEROCOPY);
}

/* What the socket gets and what can be asked of it, none of which is a reason to fail. */
static void mode_read(struct sl_xsk *xsk)
{
	uint32_t budget = TX_BATCH_WANTED;

	xsk->zerocopy = sl_xsk_zerocopy(xsk);
	xsk->tx_budget = TX_BATCH_DEFAULT;
	if (!setsockopt(xsk->fd, SOL_XDP, XDP_MAX_TX_SKB_BUDGET, &budget,
			sizeof(budget)))
		xsk->tx_budget = budget;
}

/* Needs privileges: not for a socket that is adopted, which would lose what it has. */
static void buffer_set(const struct sl_xsk *xsk)
{
	int buffer_bytes = SL_XSK_RING * SL_FRAME_BYTES;

	/* In copy mode sk_sndbuf bounds what is on its way; the TX ring shall be the bound. */
	if (setsockopt(xsk->fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer_bytes,
		       sizeof(buffer_bytes)))
		setsockopt(xsk->fd, SOL_SOCKET, SO_SNDBUF, &buffer_bytes,
			   sizeof(buffer_bytes));
}

int sl_xsk_open(struct sl_xsk *xsk, const struct sl_xsk_request *request,
		const char **operation)
{
	struct sl_xsk new = { .fd = -1 };
	int err;

	*operation = "open an AF_XDP socket";
	new.fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (new.fd < 0)
		return -errno;
	*operation = "register the UMEM";
	err = request->share_fd < 0 ? umem_register(new.fd, request->umem) : 0;
	if (err)
		goto err_close;
	*operation = "create the rings";
	err = rings_size(new.fd);
	if (err)
		goto err_close;
	*operation = "map the rings";
	err = rings_map(&new);
	if (err)
		goto err_close;
	*operation = "bind the AF_XDP socket";
	new.multi_buffer = request->multi_buffer;
	err = queue_bind(new.fd, request, new.multi_buffer);
	if (err == -EINVAL && new.multi_buffer && request->share_fd < 0) {
		/* A kernel that does not know the flag, or something that fails again. */
		new.multi_buffer = false;
		err = queue_bind(new.fd, request, false);
	}
	if (err)
		goto err_close;
	mode_read(&new);
	buffer_set(&new);
	*xsk = new;
	return 0;

err_close:
	sl_xsk_close(&new);
	return err;
}

void sl_xsk_forget(struct sl_xsk *xsk)
{
	for (int i = 0; i < 4; i++) {
		if (xsk->map[i].addr)
			munmap(xsk->map[i].addr, xsk->map[i].bytes);
		xsk->map[i] = (struct sl_xsk_ring_map){ 0 };
	}
}

void sl_xsk_close(struct sl_xsk *xsk)
{
	if (xsk->fd >= 0)
		close(xsk->fd);
	sl_xsk_forget(xsk);
	*xsk = (struct sl_xsk){ .fd = -1 };
}

/* What the ring says: everything before was published by who had it, all after is ours. */
static void prod_resume(struct xsk_ring_prod *ring)
{
	ring->cached_prod = __atomic_load_n(ring->producer, __ATOMIC_RELAXED);
	ring->cached_cons =
		__atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE) + ring->size;
}

static void cons_resume(struct xsk_ring_cons *ring)
{
	ring->cached_cons = __atomic_load_n(ring->consumer, __ATOMIC_RELAXED);
	ring->cached_prod = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
}

int sl_xsk_adopt(struct sl_xsk *xsk)
{
	int err = rings_map(xsk);

	if (err) {
		sl_xsk_forget(xsk);
		return err;
	}
	mode_read(xsk);
	return 0;
}

void sl_xsk_resume(struct sl_xsk *xsk)
{
	prod_resume(&xsk->fill);
	prod_resume(&xsk->tx);
	cons_resume(&xsk->comp);
	cons_resume(&xsk->rx);
}

int sl_xsk_busy_poll(const struct sl_xsk *xsk,
		     const struct sl_xsk_polling *polling)
{
	int prefer = polling->prefer;

	if (setsockopt(xsk->fd, SOL_SOCKET, SO_PREFER_BUSY_POLL, &prefer,
		       sizeof(prefer)) ||
	    setsockopt(xsk->fd, SOL_SOCKET, SO_BUSY_POLL, &polling->us,
		       sizeof(polling->us)) ||
	    setsockopt(xsk->fd, SOL_SOCKET, SO_BUSY_POLL_BUDGET,
		       &polling->budget, sizeof(polling->budget)))
		return -errno;
	return 0;
}

uint32_t sl_xsk_napi_id(const struct sl_xsk *xsk)
{
	uint32_t id = 0;
	socklen_t length = sizeof(id);

	if (getsockopt(xsk->fd, SOL_SOCKET, SO_INCOMING_NAPI_ID, &id, &length))
		return 0;
	return id;
}

int sl_xsk_statistics(const struct sl_xsk *xsk,
		      struct xdp_statistics *statistics)
{
	struct xdp_statistics read = { 0 };
	socklen_t length = sizeof(read);

	if (getsockopt(xsk->fd, SOL_XDP, XDP_STATISTICS, &read, &length))
		return -errno;
	*statistics = read;
	return 0;
}
