// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * floor-run send IFACE BYTES	what the kernel can send of an AF_XDP socket in copy mode
 * floor-run copy BYTES		what the memory can copy
 *
 * Two parts of what a forwarder does in copy mode, each by itself: floors for it.
 *
 * `send` keeps the TX ring of queue 0 full of the same 64 frames, which stay in the nearest
 * cache, broadcasts of EtherType 88b5 (for experiments, IEEE 802), and calls the kernel for
 * each batch. The kernel makes an skb of each, copies the frame into it and gives it to the
 * driver. `copy` does to memory what the kernel does to a forwarded frame: a copy into a UMEM
 * and one out of it, over all the 4,096 frames of a UMEM.
 *
 * `send` prints "ready" and goes on until SIGTERM, at most for a minute, then prints
 * {"sent": N}: what has been completed. `copy` takes a second and prints {"copied": frames a
 * second}.
 */
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <xdp/xsk.h>

enum {
	FRAMES = 4096, /* of the forwarder's order; 16 MiB */
	SENT = 64,
	FRAME_BYTES = 4096,
	RING = 2048,
	BATCH = 32, /* the most that the kernel takes of a copy-mode socket in a call */
	HEADER_BYTES = 14,
	DEADLINE_S = 60, /* who started it may have died */
};

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

static int fail(const char *what, int err)
{
	fprintf(stderr, "floor-run: %s: %s\n", what, strerror(abs(err)));
	return 1;
}

/* FRAMES frames, touched; NULL and errno on failure. The process's until it ends. */
static uint8_t *frames_new(void)
{
	size_t bytes = (size_t)FRAMES * FRAME_BYTES;
	uint8_t *area = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (area == MAP_FAILED)
		return NULL;
	memset(area, 0xa5, bytes);
	return area;
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int copy(size_t bytes)
{
	uint8_t *umem = frames_new(), *in = frames_new(), *out = frames_new();
	double start = now_s(), spent;
	uint64_t copied = 0;

	if (!umem || !in || !out)
		return fail("memory", errno);
	do {
		for (size_t at = 0; at < (size_t)FRAMES * FRAME_BYTES;
		     at += FRAME_BYTES) {
			memcpy(umem + at, in + at, bytes);
			/* The compiler must not make one copy of two. */
			__asm__ volatile("" : : "r"(umem) : "memory");
			memcpy(out + at, umem + at, bytes);
			__asm__ volatile("" : : "r"(out) : "memory");
		}
		copied += FRAMES;
		spent = now_s() - start;
	} while (spent < 1);
	printf("{\"copied\": %.0f}\n", (double)copied / spent);
	return 0;
}

struct sender {
	struct xsk_umem *umem;
	struct xsk_socket *xsk;
	struct xsk_ring_prod fill, tx;
	struct xsk_ring_cons completion;
	uint64_t sent;
	uint32_t bytes, in_flight, next;
};

static int sender_open(struct sender *s, const char *dev, uint8_t *area)
{
	const struct xsk_umem_config memory = {
		.fill_size = RING,
		.comp_size = RING,
		.frame_size = FRAME_BYTES,
	};
	const struct xsk_socket_config config = {
		.tx_size = RING,
		/* It receives nothing, so it needs no program. */
		.libbpf_flags = XSK_LIBBPF_FLAGS__INHIBIT_PROG_LOAD,
		.bind_flags = XDP_COPY | XDP_USE_NEED_WAKEUP,
	};
	int err = xsk_umem__create(&s->umem, area, (size_t)FRAMES * FRAME_BYTES,
				   &s->fill, &s->completion, &memory);

	if (err)
		return fail("UMEM", err);
	err = xsk_socket__create(&s->xsk, dev, 0, s->umem, NULL, &s->tx,
				 &config);
	return err ? fail(dev, err) : 0;
}

static void fill_frames(uint8_t *area, uint32_t bytes)
{
	static const uint8_t header[HEADER_BYTES] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02,
		0,    0,    0,	  0,	0x01, 0x88, 0xb5,
	};

	for (size_t i = 0; i < FRAMES; i++) {
		memset(area + i * FRAME_BYTES, 0, bytes);
		memcpy(area + i * FRAME_BYTES, header, sizeof(header));
	}
}

static void sender_turn(struct sender *s)
{
	uint32_t at, count = xsk_ring_cons__peek(&s->completion, RING, &at);

	xsk_ring_cons__release(&s->completion, count);
	s->in_flight -= count;
	s->sent += count;
	if (xsk_ring_prod__reserve(&s->tx, BATCH, &at) == BATCH) {
		for (uint32_t i = 0; i < BATCH; i++) {
			struct xdp_desc *frame =
				xsk_ring_prod__tx_desc(&s->tx, at + i);

			frame->addr =
				(uint64_t)(s->next++ % SENT) * FRAME_BYTES;
			frame->len = s->bytes;
			frame->options = 0;
		}
		xsk_ring_prod__submit(&s->tx, BATCH);
		s->in_flight += BATCH;
	}
	/* EAGAIN: its budget; EBUSY, ENOBUFS: the driver's queue. All: once more. */
	sendto(xsk_socket__fd(s->xsk), NULL, 0, MSG_DONTWAIT, NULL, 0);
}

static int send_frames(const char *dev, uint32_t bytes)
{
	const struct sigaction action = { .sa_handler = on_signal };
	struct sender s = { .bytes = bytes };
	uint8_t *area = frames_new();

	if (!area)
		return fail("memory", errno);
	fill_frames(area, bytes);
	if (sender_open(&s, dev, area))
		return 1;
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGALRM, &action, NULL);
	alarm(DEADLINE_S);
	printf("ready\n");
	fflush(stdout);
	while (!stop)
		sender_turn(&s);
	printf("{\"sent\": %llu}\n", (unsigned long long)s.sent);
	xsk_socket__delete(s.xsk);
	xsk_umem__delete(s.umem);
	return 0;
}

/* A frame's bytes, or 0: no such frame. */
static uint32_t frame_bytes(const char *text)
{
	char *end;
	unsigned long bytes = strtoul(text, &end, 10);

	return *end || bytes < HEADER_BYTES || bytes > FRAME_BYTES ?
		       0 :
		       (uint32_t)bytes;
}

int main(int argc, char **argv)
{
	uint32_t bytes = argc > 2 ? frame_bytes(argv[argc - 1]) : 0;

	if (bytes && argc == 4 && !strcmp(argv[1], "send"))
		return send_frames(argv[2], bytes);
	if (bytes && argc == 3 && !strcmp(argv[1], "copy"))
		return copy(bytes);
	fprintf(stderr, "usage: floor-run send IFACE BYTES | copy BYTES\n");
	return 2;
}
