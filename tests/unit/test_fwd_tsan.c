// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The rings between two threads: a worker as it runs in the forwarder, and the mock kernel of
 * its ports, which shares with it nothing but the rings' words, as the real one does. Built
 * with -fsanitize=thread, which names each access that no barrier orders.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "afxdp-app/worker.h"
#include "mock_kernel.h"

#define PORTS MOCK_PORTS
#define FRAMES (PORTS * SL_PORT_FRAMES + SL_BURST)
/* Several times round each ring, in a second or so. */
#define PACKETS 20000u
#define TURNS_MAX 50000000u

static struct {
	struct sl_fwd_worker worker;
	struct mock_kernel kernel[PORTS];
	bool held[FRAMES];
} lab;

static int failed;

static void ok(int number, bool holds, const char *what)
{
	printf("%s %d - %s\n", holds ? "ok" : "not ok", number, what);
	failed |= !holds;
}

/* Short and long packets, in lots of odd sizes. What the worker was told to wake is of no use. */
static bool kernel_turn(struct mock_kernel *kernel, uint32_t turn)
{
	if (kernel->received < PACKETS)
		mock_kernel_receive(kernel, turn % 7, 1 + turn % 3);
	mock_kernel_send(kernel);
	mock_kernel_complete(kernel, turn % 5 ? turn % 40 : 0);
	return kernel->received >= PACKETS;
}

/*
 * 1 once all was received and what came out has stopped to change, else 0. The worker drops when
 * it does not keep up, so the number that is sent is not known before.
 */
static void *kernel_thread(void *unused)
{
	uint32_t turn = 0, done = 0;

	(void)unused;
	while (done < 1000 && turn++ < TURNS_MAX) {
		bool all = true;

		for (uint32_t i = 0; i < PORTS; i++)
			all = kernel_turn(&lab.kernel[i], turn) && all &&
			      !mock_ring_used(&lab.kernel[i].rx) &&
			      !mock_ring_used(&lab.kernel[i].tx);
		done = all ? done + 1 : 0;
		sched_yield();
	}
	return NULL;
}

static void port_init(uint32_t i)
{
	struct sl_fwd_port *port = &lab.worker.ports[i];

	port->umem = &lab.worker.umem;
	port->peer = &lab.worker.ports[!i];
	mock_kernel_attach(&lab.kernel[i], port, i, lab.held);
	port->xsk.zerocopy = lab.kernel[i].defers = true;
	port->ops->refill(port);
}

static uint64_t dropped(void)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < PORTS; i++)
		for (int d = SL_FWD_KEEP + 1; d < SL_FWD_DROP_COUNT; d++)
			sum += lab.worker.ports[i].count.drops[d];
	return sum;
}

int main(void)
{
	pthread_t kernel;
	cpu_set_t cpus;
	uint64_t sent, received;

	puts("1..5");
	if (sched_getaffinity(0, sizeof(cpus), &cpus) ||
	    sl_fwd_worker_init(&lab.worker, PORTS))
		return 1;
	for (uint32_t i = 0; i < PORTS; i++)
		port_init(i);
	while (!CPU_ISSET((unsigned int)++lab.worker.cpu, &cpus))
		;
	lab.worker.busy = true;
	if (sl_fwd_worker_start(&lab.worker) ||
	    pthread_create(&kernel, NULL, kernel_thread, NULL))
		return 1;
	pthread_join(kernel, NULL);
	sl_fwd_worker_stop(&lab.worker);
	sl_fwd_worker_reclaim(&lab.worker);

	received = lab.kernel[0].received + lab.kernel[1].received;
	sent = lab.kernel[0].sent + lab.kernel[1].sent;
	ok(1, received >= 2 * PACKETS, "both threads ran");
	ok(2, sent + dropped() == received, "each packet was sent or counted");
	ok(3, sent > received / 10, "most of them were sent");
	ok(4, sl_umem_audit(&lab.worker.umem), "the ledger adds up");
	ok(5,
	   lab.worker.umem.count[SL_FRAME_FREE] + lab.kernel[0].n_on_wire +
			   lab.kernel[1].n_on_wire ==
		   FRAMES,
	   "every frame is back");
	printf("# %llu received, %llu sent\n", (unsigned long long)received,
	       (unsigned long long)sent);
	sl_fwd_worker_fini(&lab.worker);
	return failed;
}
