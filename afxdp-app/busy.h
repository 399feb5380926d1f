/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Busy polling, asked for and proven. Agent.
 *
 * Three things can be asked, and each of them is a silent no-op somewhere:
 *
 *   deferral   napi_defer_hard_irqs and gro_flush_timeout of each queue's NAPI, else of the
 *              interface: an interrupt stays off while polls find packets, and a timer polls in
 *              its place. Works on veth, too. Held through the journal of `sluice tune`
 *              (lib/tune.h), which gives back at the end what was before. After a SIGKILL nobody
 *              is left to do that: the next forwarder takes the entries over and gives back what
 *              they say at its own end; `sluice tune undo` does without one
 *   driving    SO_BUSY_POLL: recvfrom() of the worker runs the NAPI of the socket
 *   preference SO_PREFER_BUSY_POLL: such a poll also keeps the interrupt off until the timer's
 *              time has passed. Not where zero-copy transmission has a NAPI of its own
 *              (virtio_net; igb with 4 queues or fewer of 8): sendto() of a socket that prefers
 *              busy polling does not wake the driver (xsk_no_wakeup(), net/xdp/xsk.c), it polls
 *              the NAPI of reception, and nothing would be sent once the TX ring is full
 *
 * irq-suspend-timeout is none of them: only epoll_wait() suspends interrupts
 * (ep_suspend_napi_irqs(), fs/eventpoll.c), which AF_XDP's recvfrom() is not.
 *
 * Admission of a port, from the start and whenever its NAPI is another one:
 *
 *      OFF -----> TRIAL -----> SEEN
 *       |           |           |
 *       +-----------+-----------+---> REFUSED: the options taken back, the reason said
 *
 *   TRIAL  the worker drives; a witness (witness.h) looks whether NAPI is run by its thread
 *   SEEN   it was: only this is `busy_poll` in the statistics
 *
 * A refused port is what it was before: a worker that spins or sleeps on its rings. Where the
 * reason was that its socket had no NAPI id it is tried when it has: before Linux 6.14 or so the first
 * packet brings it in copy mode.
 */
#ifndef SLUICE_FWD_BUSY_H
#define SLUICE_FWD_BUSY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct sl_fwd;
struct sl_witness;

enum sl_busy { SL_BUSY_OFF, SL_BUSY_TRIAL, SL_BUSY_SEEN, SL_BUSY_REFUSED };

/* Of a forwarder; zeroed is none. */
struct sl_fwd_busy {
	struct sl_witness *witness; /* NULL: no trial runs */
	uint32_t looks;		    /* at this trial */
	bool left; /* a socket has a NAPI that its queue has not any more */
	bool held; /* deferral was asked for: there may be something to give back */
	bool released; /* what was deferred before: by who was killed, or another configuration */
	bool told_refused, told_deferral, told_locked;
};

/*
 * Once the data plane `plane` runs: deferral, the options of each socket as the configuration
 * has them (also none: an adopted socket may have others), and the first trials. Capabilities
 * are raised meanwhile. What fails is said, and is no failure of the forwarder.
 */
void sl_fwd_busy_start(struct sl_fwd *fwd, pid_t plane);

/*
 * Once a second: ports whose NAPI has come or changed. Sets busy.left where only another socket
 * helps.
 */
void sl_fwd_busy_watch(struct sl_fwd *fwd, pid_t plane);

/* Whether a trial runs, to be looked at in SL_FWD_BUSY_LOOK_MS. */
bool sl_fwd_busy_tried(const struct sl_fwd *fwd);
#define SL_FWD_BUSY_LOOK_MS 100

/* That look: admits, refuses, or lets it run on. */
void sl_fwd_busy_look(struct sl_fwd *fwd);

/* Ends a trial; what was asked of sockets and interfaces stays. */
void sl_fwd_busy_close(struct sl_fwd *fwd);

/* The same, and gives the deferral back. The sockets' options end with the sockets. */
void sl_fwd_busy_stop(struct sl_fwd *fwd);

#endif /* SLUICE_FWD_BUSY_H */
