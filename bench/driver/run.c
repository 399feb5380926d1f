// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * driver-run OBJECT IFACE MODE ACTION [SECONDS]: one XDP verdict, or an AF_XDP socket, on an interface.
 *
 *	OBJECT	verdict.bpf.o
 *	MODE	native, generic; for sockets zero-copy, copy, copy-generic (a driver without XDP),
 *		zero-copy-busy, copy-busy (the two by preferred busy polling)
 *	ACTION	drop, tx, redirect; for sockets drop, forward
 *
 * It attaches, prints "ready", and goes on until SIGTERM or for SECONDS (60). Then it prints what its
 * socket took as one line of JSON: {"received": N, "sent": N, "turns": N, "empty": N}. `forward`
 * sends a frame back out of its interface as it came.
 *
 * The socket's loop is the shortest there is: take a batch, send it back or put it into the fill
 * ring, sleep in poll() if there was none. It is to show the driver, not a forwarder. With busy
 * polling each turn is a system call that polls the driver, and after one that found nothing it
 * pauses, by the clock: the sender may be on the same processor. `turns` found some; `empty` are the
 * others between the first frame and the last.
 */
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <xdp/xsk.h>

enum {
	FRAMES = 4096, /* twice what the rings of a NIC hold */
	RING = 2048,
	BATCH = 64,  /* a NAPI poll's */
	BUDGET = 32, /* a busy poll's: in copy mode sendto() sends no more */
	PAUSE_NS = 250000, /* for a part of a NIC's ring, 256: some 2 us each */
	BUSY_US = 20,	 /* any but 0: our calls do not block, and poll once */
	POLL_MS = 100,	 /* how late SIGTERM may be seen */
	DEADLINE_S = 60, /* a sender that died must not leave it running */
};

struct bench {
	const char *dev;
	const char *mode;
	const char *action;
	int ifindex;
	__u32 attach;
	bool socket;
	bool forward;
	bool busy;
	__u64 received;
	__u64 sent;
	__u64 turns;
	__u64 empty;
	__u64 idle; /* empty ones since the last frame */
	__u32 in_flight;
	struct xsk_umem *umem;
	struct xsk_socket *xsk;
	struct xsk_ring_prod fill;
	struct xsk_ring_cons completion;
	struct xsk_ring_cons rx;
	struct xsk_ring_prod tx;
};

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

static int fail(const struct bench *bench, const char *what, int err)
{
	fprintf(stderr, "driver-run: %s, %s, %s: %s: %s\n", bench->dev,
		bench->mode, bench->action, what,
		strerror(err < 0 ? -err : err));
	return 1;
}

/* The device's napi_defer_hard_irqs and gro_flush_timeout are the caller's. */
static int poll_busily(struct bench *bench)
{
	const int fd = xsk_socket__fd(bench->xsk);
	const int prefer = 1, busy_us = BUSY_US, budget = BUDGET;

	prctl(PR_SET_TIMERSLACK, 1UL);
	if (setsockopt(fd, SOL_SOCKET, SO_PREFER_BUSY_POLL, &prefer,
		       sizeof(prefer)) ||
	    setsockopt(fd, SOL_SOCKET, SO_BUSY_POLL, &busy_us,
		       sizeof(busy_us)) ||
	    setsockopt(fd, SOL_SOCKET, SO_BUSY_POLL_BUDGET, &budget,
		       sizeof(budget)))
		return fail(bench, "busy polling", errno);
	return 0;
}

/* Opens the socket in just the mode that is asked for, its fill ring full. */
static int open_socket(struct bench *bench)
{
	const struct xsk_umem_config memory = {
		.fill_size = RING,
		.comp_size = RING,
		.frame_size = XSK_UMEM__DEFAULT_FRAME_SIZE
	};
	const struct xsk_socket_config config = {
		.rx_size = RING,
		.tx_size = RING,
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.xdp_flags = bench->attach,
		.bind_flags =
			(bench->mode[0] == 'z' ? XDP_ZEROCOPY : XDP_COPY) |
			XDP_USE_NEED_WAKEUP
	};
	const size_t size = (size_t)FRAMES * XSK_UMEM__DEFAULT_FRAME_SIZE;
	__u32 at;
	void *area;
	int err;

	area = mmap(NULL, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (area == MAP_FAILED)
		return fail(bench, "memory", errno);
	err = xsk_umem__create(&bench->umem, area, size, &bench->fill,
			       &bench->completion, &memory);
	if (err)
		return fail(bench, "UMEM", err);
	err = xsk_socket__create(&bench->xsk, bench->dev, 0, bench->umem,
				 &bench->rx, &bench->tx, &config);
	if (err)
		return fail(bench, "socket", err);
	if (xsk_ring_prod__reserve(&bench->fill, RING, &at) != RING)
		return fail(bench, "fill ring", ENOSPC);
	for (__u32 i = 0; i < RING; i++)
		*xsk_ring_prod__fill_addr(&bench->fill, at + i) =
			(__u64)i * XSK_UMEM__DEFAULT_FRAME_SIZE;
	xsk_ring_prod__submit(&bench->fill, RING);
	return bench->busy ? poll_busily(bench) : 0;
}

/* Frames go round between fill, RX, TX and completion ring: each ring has room for all of them. */
static void refill(struct bench *bench, const __u64 *addresses, __u32 count)
{
	__u32 at;

	if (!count || xsk_ring_prod__reserve(&bench->fill, count, &at) != count)
		return;
	for (__u32 i = 0; i < count; i++)
		*xsk_ring_prod__fill_addr(&bench->fill, at + i) = addresses[i];
	xsk_ring_prod__submit(&bench->fill, count);
}

static void complete(struct bench *bench)
{
	__u64 addresses[BATCH];
	__u32 at, count = xsk_ring_cons__peek(&bench->completion, BATCH, &at);

	for (__u32 i = 0; i < count; i++)
		addresses[i] = xsk_umem__extract_addr(
			*xsk_ring_cons__comp_addr(&bench->completion, at + i));
	xsk_ring_cons__release(&bench->completion, count);
	bench->sent += count;
	bench->in_flight -= count;
	refill(bench, addresses, count);
}

static void send_back(struct bench *bench, const struct xdp_desc *frames,
		      __u32 count)
{
	__u32 at;

	if (count && xsk_ring_prod__reserve(&bench->tx, count, &at) == count) {
		for (__u32 i = 0; i < count; i++)
			*xsk_ring_prod__tx_desc(&bench->tx, at + i) = frames[i];
		xsk_ring_prod__submit(&bench->tx, count);
		bench->in_flight += count;
	}
	if (bench->busy)
		return; /* the turn's system call sends */
	if (bench->in_flight && xsk_ring_prod__needs_wakeup(&bench->tx))
		sendto(xsk_socket__fd(bench->xsk), NULL, 0, MSG_DONTWAIT, NULL,
		       0);
}

static __u32 turn(struct bench *bench)
{
	struct xdp_desc frames[BATCH];
	__u64 addresses[BATCH];
	__u32 at, count;

	if (bench->forward)
		complete(bench);
	count = xsk_ring_cons__peek(&bench->rx, BATCH, &at);
	for (__u32 i = 0; i < count; i++) {
		frames[i] = *xsk_ring_cons__rx_desc(&bench->rx, at + i);
		addresses[i] = xsk_umem__extract_addr(frames[i].addr);
	}
	xsk_ring_cons__release(&bench->rx, count);
	bench->received += count;
	if (bench->forward)
		send_back(bench, frames, count);
	else
		refill(bench, addresses, count);
	return count;
}

/* A turn that polls the driver: sends and receives, or receives alone. */
static void busy_turn(struct bench *bench)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };
	const int fd = xsk_socket__fd(bench->xsk);

	if (bench->forward)
		sendto(fd, NULL, 0, MSG_DONTWAIT, NULL, 0);
	else
		recvfrom(fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
	if (turn(bench)) {
		bench->turns++;
		bench->empty += bench->idle;
		bench->idle = 0;
		return;
	}
	if (bench->received)
		bench->idle++;
	nanosleep(&pause, NULL);
}

static void serve(struct bench *bench)
{
	struct pollfd ready = { .events = POLLIN };

	if (bench->socket)
		ready.fd = xsk_socket__fd(bench->xsk);
	while (!stop) {
		if (!bench->socket)
			pause();
		else if (bench->busy)
			busy_turn(bench);
		else if (!turn(bench))
			poll(&ready, 1, bench->in_flight ? 0 : POLL_MS);
	}
}

static int attach(struct bench *bench, struct bpf_object *object)
{
	const char *verdict = bench->socket ? "socket" : bench->action;
	struct bpf_program *program;
	char name[32];
	int err;

	snprintf(name, sizeof(name), "verdict_%s", verdict);
	program = bpf_object__find_program_by_name(object, name);
	if (!program)
		return fail(bench, "no such verdict", EINVAL);
	err = bpf_xdp_attach(bench->ifindex, bpf_program__fd(program),
			     bench->attach, NULL);
	if (err)
		return fail(bench, "attach", err);
	if (!bench->socket)
		return 0;
	if (open_socket(bench))
		return 1;
	err = xsk_socket__update_xskmap(
		bench->xsk, bpf_object__find_map_fd_by_name(object, "sockets"));
	return err ? fail(bench, "socket map", err) : 0;
}

int main(int argc, char **argv)
{
	const struct sigaction action = { .sa_handler = on_signal };
	struct bench bench = { 0 };
	struct bpf_object *object;
	int err;

	if (argc < 5 || argc > 6) {
		fprintf(stderr,
			"usage: driver-run OBJECT IFACE MODE ACTION [SECONDS]\n");
		return 2;
	}
	bench.dev = argv[2];
	bench.mode = argv[3];
	bench.action = argv[4];
	bench.ifindex = (int)if_nametoindex(bench.dev);
	bench.socket = bench.mode[0] == 'c' || bench.mode[0] == 'z';
	bench.forward = bench.socket && strcmp(bench.action, "forward") == 0;
	bench.busy = bench.socket && strstr(bench.mode, "busy");
	bench.attach = strstr(bench.mode, "generic") ? XDP_FLAGS_SKB_MODE :
						       XDP_FLAGS_DRV_MODE;
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGALRM, &action, NULL);
	object = bpf_object__open_file(argv[1], NULL);
	if (!object)
		return fail(&bench, argv[1], errno);
	err = bpf_object__load(object);
	if (err)
		return fail(&bench, "load", err);
	if (attach(&bench, object))
		return 1;
	alarm(argc > 5 ? (unsigned int)strtoul(argv[5], NULL, 10) : DEADLINE_S);
	printf("ready\n");
	fflush(stdout);
	serve(&bench);
	printf("{\"received\": %llu, \"sent\": %llu, \"turns\": %llu, \"empty\": %llu}\n",
	       (unsigned long long)bench.received,
	       (unsigned long long)bench.sent, (unsigned long long)bench.turns,
	       (unsigned long long)bench.empty);
	bpf_xdp_attach(bench.ifindex, -1, bench.attach, NULL);
	return 0;
}
