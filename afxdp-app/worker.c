// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The round: for each port take a burst, choose its output, put it on that TX ring; then for
 * each port kick what is due, reap and refill. Between rounds without a packet the worker
 * spins on the RX rings (poll busy), sleeps in ppoll() (poll sleep), or does what the governor
 * says (poll adaptive). One that spins drives NAPI on ports where that is asked (busy.h).
 *
 * A loaded worker holds kicks back (pace.h), and one that may sleep naps first: one ppoll() that no
 * packet ends and that sends what is held (xsk_poll()). To spin instead costs no more calls, but
 * a CPU that the sender's interrupts may need.
 */
#include "worker.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "burst.h"
#include "route.h"
#include "stage.h"

/*
 * The longest sleep: bounds how late a lost wakeup or an unsent tail is found. A guess; it
 * costs ten wakeups a second of an idle worker.
 */
#define SLEEP_NS 100000000ull
/* The same while something is still to be sent: half of what a full TX ring lasts at 1 Mpps. */
#define SLEEP_PENDING_NS 1000000ull
/* How long an operator waits for a stop at most; a device sends a full ring in far less. */
#define DRAIN_NS 1000000000ull
/* Between the rounds of that: a burst each, so all RX rings are emptied in about 10 ms. */
#define DRAIN_PAUSE_NS 200000l

/* Looks at the RX rings between two empty rounds, about a microsecond; a round costs several. */
#define LOOKS 32

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static void cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

int sl_fwd_worker_alloc(struct sl_fwd_worker *worker, uint32_t n_ports)
{
	struct sl_fwd_worker new = { .n_ports = n_ports, .cpu = -1 };
	int err = -ENOMEM;

	new.ports = calloc(n_ports, sizeof(*new.ports));
	new.polls = calloc(n_ports + 1, sizeof(*new.polls));
	if (!new.ports || !new.polls)
		goto err_free;
	new.stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (new.stop_fd < 0) {
		err = -errno;
		goto err_free;
	}
	for (uint32_t i = 0; i < n_ports; i++) {
		new.ports[i].ops = &sl_fwd_port_xsk;
		new.ports[i].wake = &sl_fwd_wake_xsk;
		new.ports[i].xsk.fd = -1;
	}
	*worker = new;
	return 0;

err_free:
	free(new.ports);
	free(new.polls);
	return err;
}

uint32_t sl_fwd_worker_frames_wanted(const struct sl_fwd_worker *worker)
{
	/* One burst more than the rings: what is between RX and TX. */
	return worker->n_ports * SL_PORT_FRAMES + SL_BURST;
}

int sl_fwd_worker_frames(struct sl_fwd_worker *worker)
{
	return sl_umem_init(&worker->umem, sl_fwd_worker_frames_wanted(worker));
}

int sl_fwd_worker_init(struct sl_fwd_worker *worker, uint32_t n_ports)
{
	int err = sl_fwd_worker_alloc(worker, n_ports);

	if (err)
		return err;
	err = sl_fwd_worker_frames(worker);
	if (err)
		sl_fwd_worker_fini(worker);
	return err;
}

/* B of a sequence lock; A is in sl_fwd_worker_ledger(). */
static void ledger_publish(struct sl_fwd_worker *worker)
{
	struct sl_fwd_ledger *ledger = &worker->ledger;
	uint32_t sequence = ledger->sequence;

	__atomic_store_n(&ledger->sequence, sequence + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	for (int s = 0; s < SL_FRAME_STATES; s++)
		__atomic_store_n(&ledger->frames.count[s],
				 worker->umem.count[s], __ATOMIC_RELAXED);
	__atomic_store_n(&ledger->frames.violations, worker->umem.violations,
			 __ATOMIC_RELAXED);
	__atomic_store_n(&ledger->sequence, sequence + 2, __ATOMIC_RELEASE);
}

void sl_fwd_worker_ledger(const struct sl_fwd_worker *worker,
			  struct sl_fwd_frames *frames)
{
	const struct sl_fwd_ledger *ledger = &worker->ledger;
	uint32_t before, after;

	/* A, matches B: the writer is inside for nanoseconds, so this ends. */
	do {
		before = __atomic_load_n(&ledger->sequence, __ATOMIC_ACQUIRE);
		for (int s = 0; s < SL_FRAME_STATES; s++)
			frames->count[s] = __atomic_load_n(
				&ledger->frames.count[s], __ATOMIC_RELAXED);
		frames->violations = __atomic_load_n(&ledger->frames.violations,
						     __ATOMIC_RELAXED);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		after = __atomic_load_n(&ledger->sequence, __ATOMIC_RELAXED);
	} while (before != after || before & 1);
}

/* Runs of packets with the same output, so that the packets of a flow stay in order. */
static void transmit(struct sl_fwd_burst *burst, uint64_t now_ns)
{
	uint32_t end;

	for (uint32_t from = 0; from < burst->n; from = end) {
		struct sl_fwd_port *out = burst->packet[from].out;

		for (end = from + 1;
		     end < burst->n && burst->packet[end].out == out;)
			end++;
		out->ops->tx_burst(out, burst, from, end, now_ns);
	}
}

/* The packets it took off the port, or dropped there. */
static uint32_t port_forward(struct sl_fwd_worker *worker,
			     struct sl_fwd_port *port, uint64_t now_ns)
{
	struct sl_fwd_burst burst;

	sl_fwd_burst_init(&burst, port);
	port->ops->rx_burst(port, &burst);
	if (!burst.n)
		return !port->rx_idle;
	/* Not on a plain wire, where no byte of a packet is looked at. */
	if (worker->learns)
		sl_fwd_burst_learn(&burst);
	if (port->route)
		sl_fwd_route_burst(port->route, &burst);
	sl_fwd_burst_stage(&burst, &worker->umem);
	sl_fwd_steps_run(worker->steps, worker->n_steps, &burst, now_ns);
	transmit(&burst, now_ns);
	sl_fwd_burst_drop(&burst, &worker->umem);
	sl_umem_check(&worker->umem);
	return burst.n;
}

static void port_serve(struct sl_fwd_worker *worker, struct sl_fwd_port *port,
		       uint64_t now_ns)
{
	uint32_t pending = port->ops->pending(port);

	if (pending && !sl_pace_holds(&worker->pace, pending,
				      port->pending_since_ns, now_ns)) {
		port->ops->kick(port, now_ns);
		sl_pace_kicked(&worker->pace);
	} else if (!pending)
		port->pending_since_ns = 0; /* ppoll() sent it */
	port->ops->reap(port);
	port->ops->refill(port);
	/* In every poll mode: a worker with packets on another port does not get to ppoll(). */
	if (port->ops->rx_wake(port, now_ns))
		sl_count_add(&worker->count_wake_rx, 1);
}

static void govern(struct sl_fwd_worker *worker, uint64_t elapsed_ns,
		   uint64_t now_ns)
{
	struct sl_governor_sample sample = {
		.now_ns = now_ns,
		.elapsed_ns = elapsed_ns,
		.packets = worker->pace.seen,
		.pressure =
			__atomic_load_n(&worker->pressure, __ATOMIC_RELAXED),
	};

	for (uint32_t i = 0; i < worker->n_ports; i++)
		sample.drives |= __atomic_load_n(&worker->ports[i].busy_seen,
						 __ATOMIC_RELAXED);
	sl_governor_step(&worker->governor, &sample);
}

uint32_t sl_fwd_worker_round(struct sl_fwd_worker *worker, uint64_t now_ns)
{
	uint32_t packets = 0;
	uint64_t window_ns;

	for (uint32_t i = 0; i < worker->n_ports; i++)
		packets += port_forward(worker, &worker->ports[i], now_ns);
	sl_pace_add(&worker->pace, packets, now_ns);
	for (uint32_t i = 0; i < worker->n_ports; i++)
		port_serve(worker, &worker->ports[i], now_ns);
	window_ns = sl_pace_measure(&worker->pace, now_ns);
	if (window_ns && worker->adaptive)
		govern(worker, window_ns, now_ns);
	ledger_publish(worker);
	return packets;
}

/* Returns when a port has something, at the latest after LOOKS. */
static void worker_spin(const struct sl_fwd_worker *worker)
{
	for (uint32_t look = 0; look < LOOKS; look++) {
		for (uint32_t i = 0; i < worker->n_ports; i++)
			if (worker->ports[i].ops->ready(&worker->ports[i]))
				return;
		cpu_relax();
	}
}

/*
 * A packet socket says that its interface went (POLLERR) until it is asked, and ppoll() would
 * not sleep meanwhile.
 */
static void error_take(const struct pollfd *poll)
{
	socklen_t length = sizeof(int);
	int err;

	if (poll->revents & POLLERR)
		getsockopt(poll->fd, SOL_SOCKET, SO_ERROR, &err, &length);
}

static void worker_wait(struct sl_fwd_worker *worker, short events,
			uint64_t bound_ns)
{
	struct timespec timeout = { .tv_nsec = (long)bound_ns };

	for (uint32_t i = 0; i < worker->n_ports; i++)
		worker->polls[i].events = events;
	if (ppoll(worker->polls, worker->n_ports + 1, &timeout, NULL) > 0)
		for (uint32_t i = 0; i < worker->n_ports; i++)
			error_take(&worker->polls[i]);
	sl_count_add(&worker->count_poll, 1);
}

static void worker_nap(struct sl_fwd_worker *worker, uint64_t now_ns)
{
	for (uint32_t i = 0; i < worker->n_ports; i++) {
		struct sl_fwd_port *port = &worker->ports[i];

		/* More than ppoll() sends, or not a socket whose ppoll() sends. */
		if (port->ops->pending(port) > port->xsk.tx_budget)
			port->ops->kick(port, now_ns);
	}
	worker_wait(worker, 0, worker->pace.nap_ns);
}

static void worker_sleep(struct sl_fwd_worker *worker, uint64_t now_ns)
{
	uint64_t bound_ns = SLEEP_NS;

	for (uint32_t i = 0; i < worker->n_ports; i++) {
		struct sl_fwd_port *port = &worker->ports[i];

		port->ops->kick(port, now_ns);
		/* A port that is down has nothing to wait for in such a hurry. */
		if (port->ops->pending(port) && !port->down)
			bound_ns = SLEEP_PENDING_NS;
	}
	worker_wait(worker, POLLIN, bound_ns);
}

/* A port whose busy polling is on trial: to be seen, the worker must be awake. */
static bool worker_tried(const struct sl_fwd_worker *worker)
{
	for (uint32_t i = 0; i < worker->n_ports; i++) {
		const struct sl_fwd_port *port = &worker->ports[i];

		if (__atomic_load_n(&port->busy_poll, __ATOMIC_RELAXED) &&
		    !__atomic_load_n(&port->busy_seen, __ATOMIC_RELAXED))
			return true;
	}
	return false;
}

/* Whether it polls in this round, which its ports then do, too. */
static bool worker_polls(struct sl_fwd_worker *worker)
{
	bool polls = worker->busy || worker->governor.polling ||
		     worker_tried(worker);

	if (polls == worker->polling)
		return polls;
	for (uint32_t i = 0; i < worker->n_ports; i++)
		worker->ports[i].rests = !polls;
	__atomic_store_n(&worker->polling, polls, __ATOMIC_RELAXED);
	sl_count_add(&worker->count_turns, 1);
	return polls;
}

static void worker_loop(struct sl_fwd_worker *worker)
{
	bool napped = false;

	while (!__atomic_load_n(&worker->stop, __ATOMIC_RELAXED)) {
		uint64_t now_ns = clock_ns();

		if (sl_fwd_worker_round(worker, now_ns))
			napped = false;
		else if (worker_polls(worker) ||
			 (worker->pace.loaded && !worker->pace.nap_ns))
			worker_spin(worker);
		else if (worker->pace.loaded && !napped) {
			worker_nap(worker, now_ns);
			napped = true;
		} else {
			/* Nothing came in all of a nap: a packet is waited for. */
			worker_sleep(worker, now_ns);
		}
	}
}

static void *worker_thread(void *context)
{
	struct sl_fwd_worker *worker = context;

	worker_loop(worker);
	return NULL;
}

int sl_fwd_worker_start(struct sl_fwd_worker *worker)
{
	pthread_attr_t attributes;
	cpu_set_t cpus;
	int err;

	for (uint32_t i = 0; i < worker->n_ports; i++)
		worker->polls[i] = (struct pollfd){
			.fd = worker->ports[i].ops->fd(&worker->ports[i]),
			.events = POLLIN
		};
	worker->polls[worker->n_ports] =
		(struct pollfd){ .fd = worker->stop_fd, .events = POLLIN };
	worker->pace.window_start_ns = clock_ns();
	sl_governor_init(&worker->governor, worker->pace.window_start_ns);
	worker->polling = worker->busy;
	for (uint32_t i = 0; i < worker->n_ports; i++)
		worker->ports[i].rests = !worker->polling;
	ledger_publish(worker);

	err = pthread_attr_init(&attributes);
	if (err)
		return -err;
	CPU_ZERO(&cpus);
	CPU_SET((unsigned int)worker->cpu, &cpus);
	err = pthread_attr_setaffinity_np(&attributes, sizeof(cpus), &cpus);
	if (!err)
		err = pthread_create(&worker->thread, &attributes,
				     worker_thread, worker);
	pthread_attr_destroy(&attributes);
	worker->started = !err;
	return -err;
}

void sl_fwd_worker_stop(struct sl_fwd_worker *worker)
{
	if (!worker->started)
		return;
	__atomic_store_n(&worker->stop, true, __ATOMIC_RELAXED);
	/* Only shortens a sleep, so a failure costs SLEEP_NS at most. */
	eventfd_write(worker->stop_fd, 1);
	pthread_join(worker->thread, NULL);
	worker->started = false;
}

/*
 * An empty ring is waited for even without a carrier, where the kernel refuses the frames one
 * by one: before Linux 6.17 the consumer tells which were taken only when it was emptied.
 */
static bool port_drained(const struct sl_fwd_port *port)
{
	if (port->down)
		return true;
	return !port->ops->pending(port) && (!port->tx_out || !port->link);
}

static bool worker_drained(struct sl_fwd_worker *worker, uint64_t now_ns)
{
	uint32_t packets;

	if (!worker->ports)
		return true;
	worker->pace.loaded = false;
	packets = sl_fwd_worker_round(worker, now_ns);
	for (uint32_t i = 0; i < worker->n_ports; i++)
		if (!port_drained(&worker->ports[i]))
			return false;
	return !packets;
}

void sl_fwd_workers_drain(struct sl_fwd_worker *workers, uint32_t n)
{
	uint64_t now_ns = clock_ns(), end_ns = now_ns + DRAIN_NS;

	for (;;) {
		bool drained = true;

		for (uint32_t w = 0; w < n; w++)
			drained = worker_drained(&workers[w], now_ns) &&
				  drained;
		now_ns = clock_ns();
		if (drained || now_ns >= end_ns)
			return;
		nanosleep(&(struct timespec){ .tv_nsec = DRAIN_PAUSE_NS },
			  NULL);
	}
}

void sl_fwd_worker_reclaim(struct sl_fwd_worker *worker)
{
	for (uint32_t i = 0; i < worker->n_ports; i++)
		worker->ports[i].ops->reclaim(&worker->ports[i]);
	ledger_publish(worker);
}

void sl_fwd_worker_fini(struct sl_fwd_worker *worker)
{
	if (!worker->ports)
		return;
	for (uint32_t i = 0; i < worker->n_ports; i++)
		worker->ports[i].ops->close(&worker->ports[i]);
	sl_umem_fini(&worker->umem);
	close(worker->stop_fd);
	free(worker->ports);
	free(worker->polls);
	memset(worker, 0, sizeof(*worker));
}
