/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * --takeover: a new agent goes on with the frames and sockets of one that runs.
 *
 *      new                                    old
 *   1. prepares: interfaces, plan               forwards
 *   2. {"request":"handover","plan":...}  -->   compares; refuses, and goes on, if it is another
 *                                             plan, or a kernel that cannot
 *   3.                                        holds its data plane (handover.h)
 *   4.       <--  {"ok":true}, descriptors      waits
 *   5. starts its data plane on them            waits; if the new one ends, goes on itself
 *   6. {"running":true}                   -->   closes its descriptors, ends
 *
 * Between 3 and 5 packets wait on the RX rings: 2048 a port. Where step 2 is refused, the new
 * one has the old one stop, and opens sockets of its own: what comes in between takes
 * the rules' fallback, and the filter counts it as no_socket.
 */
#ifndef SLUICE_FWD_TAKEOVER_H
#define SLUICE_FWD_TAKEOVER_H

#include <stdbool.h>

struct sl_agent;

/*
 * The new agent, prepared. 0 and a *record_fd to start from; or 0 and -1: there is no other any
 * more, to open sockets; or -errno, said. *other: a connection for sl_takeover_end(), or -1.
 */
int sl_takeover(struct sl_agent *agent, int *record_fd, int *other);

/* Tells the old agent whether we run, and closes; -1 is fine. */
void sl_takeover_end(int other, bool running);

/*
 * The old agent: 1 if it is over for us (agent->handed), or we went on after all; or -errno and
 * *why, and nothing has changed.
 */
int sl_takeover_serve(struct sl_agent *agent, int client, const char *plan,
		      const char **why);

/* Sends a line at once. 0 or -errno. */
int sl_takeover_line(int client, const char *line);

#endif /* SLUICE_FWD_TAKEOVER_H */
