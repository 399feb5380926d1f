/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A worker: one thread on one CPU that owns a UMEM and the ports on it, and runs each packet
 * to completion. It takes no lock, allocates nothing, holds no capability and makes no
 * system call per packet; the main thread opens everything for it and judges what is left.
 */
#ifndef SLUICE_FWD_WORKER_H
#define SLUICE_FWD_WORKER_H

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "governor.h"
#include "pace.h"
#include "port.h"
#include "umem.h"

struct sl_fwd_step;

/* Of one moment, the end of a round of the worker, so that the counts add up. */
struct sl_fwd_frames {
	uint32_t count[SL_FRAME_STATES];
	uint64_t violations;
};

struct sl_fwd_ledger {
	uint32_t sequence; /* odd while the worker writes */
	struct sl_fwd_frames frames;
};

struct sl_fwd_worker {
	struct sl_umem umem;
	struct sl_fwd_port *ports;
	uint32_t n_ports;
	struct pollfd *polls; /* n_ports, then stop_fd */
	int cpu;
	bool busy;     /* never sleeps */
	bool adaptive; /* sleeps or not as the governor has it */
	bool polling;  /* atomic: does not sleep, for now or ever */
	int stop_fd;   /* eventfd that ends the sleep */
	bool stop;     /* atomic */
	bool started;
	pthread_t thread;
	uint64_t count_poll, count_wake_rx; /* system calls, sl_count_read() */
	struct sl_fwd_ledger ledger;
	uint32_t rounds_seen; /* ledger.sequence, by the main thread */
	struct sl_pace pace;
	struct sl_governor governor;
	uint32_t pressure; /* atomic: of its CPU, thousandths; from the main thread */
	uint64_t count_turns; /* of `polling`, sl_count_read() */
	/* The stages that bursts go through; the caller's, set before the start. */
	struct sl_fwd_step *steps;
	uint32_t n_steps;
	bool learns; /* what the filter tells of a packet is asked for */
};

/* Memory for `n_ports` ports; neither frames nor sockets yet. 0 or -errno. */
int sl_fwd_worker_alloc(struct sl_fwd_worker *worker, uint32_t n_ports);

/* How many frames its ports may need. */
uint32_t sl_fwd_worker_frames_wanted(const struct sl_fwd_worker *worker);

/* After that: the frames that its ports may need. 0 or -errno. */
int sl_fwd_worker_frames(struct sl_fwd_worker *worker);

/* Both. 0, or -errno and nothing is held. */
int sl_fwd_worker_init(struct sl_fwd_worker *worker, uint32_t n_ports);

/* Starts the thread; the ports are its own until sl_fwd_worker_stop(). 0 or -errno. */
int sl_fwd_worker_start(struct sl_fwd_worker *worker);

/* Ends the thread and waits for it: at most one round of the worker. */
void sl_fwd_worker_stop(struct sl_fwd_worker *worker);

/*
 * After all were stopped, and after the XSKMAPs forgot the sockets: forwards what is still on
 * the RX rings, has the TX rings sent and waits for the completions, all workers together at
 * most about a second. Ports that are down are not waited for, nor, without a link, completions.
 */
void sl_fwd_workers_drain(struct sl_fwd_worker *workers, uint32_t n);

/* Takes the frames on the rings back (sl_fwd_port_reclaim()); the sockets stay open. */
void sl_fwd_worker_reclaim(struct sl_fwd_worker *worker);

/* Unmaps and frees; a worker that was only zeroed is fine. */
void sl_fwd_worker_fini(struct sl_fwd_worker *worker);

/* One round over the ports; the packets it moved. Exported for tests. */
uint32_t sl_fwd_worker_round(struct sl_fwd_worker *worker, uint64_t now_ns);

/* A copy of the ledger from one moment. Any thread. */
void sl_fwd_worker_ledger(const struct sl_fwd_worker *worker,
			  struct sl_fwd_frames *frames);

#endif /* SLUICE_FWD_WORKER_H */
