/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The agent: it keeps the privileges and sees no packet; the data plane (plane.h) has
 * the packets and no privileges. One process each, one thread in the agent.
 *
 *      agent                                            data plane
 *   1. configuration, interfaces, filters, plan           -
 *   2. UMEM (memfd) and AF_XDP sockets; rings mapped        -
 *      and filled: kernels before 6.4 map the rings of
 *      an unbound socket only, so it is done here
 *   3. fork, while there is one thread                    inherits those mappings; dies with the
 *                                                         agent (PR_SET_PDEATHSIG); closes all
 *                                                         descriptors but sockets and channel
 *   4. unmaps frames and rings, keeps descriptors         opens the stages (a mirror's socket, a
 *                                                         capture's file, the operator's code,
 *                                                         which never is in the agent)
 *   5. waits                                              no capabilities, bounding set empty,
 *                                                         no new privileges, Landlock
 *   6. waits                                              threads; then seccomp for all of them,
 *                                                         as those need more to begin than to run
 *   7. READY: sockets into the XSKMAPs, packets come      forwards
 *   8. capabilities permitted, not effective, but         reads messages (channel.h) beside it
 *      while something is opened
 *   9. watches links, queues, filters, NAPI, the data     -
 *      plane; answers the control socket
 *  10. end: XSKMAPs emptied, grace period, STOP           drains, counts its frames, ends
 *  11. closes the sockets                                 -
 *
 * What passes when: at the fork the sockets, UMEMs and eventfds of the workers; later by
 * SCM_RIGHTS a memfd for statistics (STATS, STOP) or for the record of a handover (HOLD).
 * A data plane that ends by itself ends the forwarder: the kernel takes the sockets out of
 * the XSKMAPs, the rules' fallback applies, and whoever started it starts it again.
 *
 * Other sockets, after a change of channels, an interface's return or a reload, mean another
 * data plane: stop it, and go on from step 1. Where the plan stays what it was (a reload, or
 * --takeover from another agent) the sockets stay, too: the next data plane is started first
 * and stands by after step 5; then HOLD in place of STOP, and it goes on (handover.h).
 */
#ifndef SLUICE_FWD_AGENT_H
#define SLUICE_FWD_AGENT_H

#include <sys/types.h>

#include "control.h"
#include "forwarder.h"
#include "signals.h"

struct sl_config;
struct sl_fwd_options;
struct sl_pressure;

/* A data plane's process, by the agent's hold on it. */
struct sl_agent_plane {
	pid_t pid;   /* 0: there is none */
	int channel; /* to it; -1: none */
	int stop_ms; /* how long its end may take */
};

struct sl_agent {
	const struct sl_fwd_options *options; /* the caller's */
	struct sl_config *config;	      /* owned */
	struct sl_fwd fwd;
	struct sl_fwd_signals signals;
	struct sl_control control;
	struct sl_pressure *pressure; /* with `poll adaptive`; NULL: none */
	struct sl_agent_plane plane;  /* the one that forwards */
	struct sl_agent_plane next;   /* stands by to go on where it stops */
	struct sl_agent_plane last;   /* was held, and comes to its end */
	uint64_t watched_ns;	      /* notify.c's: of the clock */
	bool leave;		      /* asked to stop */
	int stopper;		      /* the connection that asked; -1: none */
	bool handed;		      /* another agent has the sockets */
	bool restarted;		      /* this is not the first data plane */
};

/* The configuration of a forwarder: 0, or -errno after messages, and *config is unchanged. */
int sl_agent_config(const char *path, struct sl_config **config);

/*
 * Reads the configuration again and goes on with it. 0, or -errno after messages: what was, goes
 * on, unless agent->plane is none, when the forwarder is at its end.
 */
int sl_agent_reload(struct sl_agent *agent);

/*
 * Forwards until a signal, a request, the duration's end or a failure. *config becomes the
 * agent's. The exit status of the program.
 */
int sl_agent_run(const struct sl_fwd_options *options,
		 struct sl_config *config);

#endif /* SLUICE_FWD_AGENT_H */
