/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * --takeover: a new agent goes on with the frames and sockets of one that runs.
 *
 *      new                                    old
 *   1. prepares: interfaces, plan               forwards
 *   2. {"request":"handover","plan":...}  -->   compares; refuses, and goes on, if it is another
 *                                             plan, or a kernel that cannot
 *   3.       <--  {"ok":true}, descriptors      forwards
 *   4. starts its data plane, which stands by   forwards
 *   5. {"standby":true}                   -->   holds its data plane (handover.h)
 *   6.                       <--  record        waits
 *   7. has its data plane go on                 waits; if the new one ends, goes on itself
 *   8. {"running":true}                   -->   closes its descriptors, ends
 *
 * Between 5 and 7 packets wait on the RX rings: 2048 a port. Where step 2 is refused, the new
 * one has the old one stop, and opens sockets of its own: what comes in between takes
 * the rules' fallback, and the filter counts it as no_socket.
 *
 * Who dies when: the new one up to 5 changes nothing. From then on the old one goes on from the
 * record, once the connection is closed for good: the new data plane has it open as well, so that
 * none of the two runs any more. If the record has been used by then, the frames are nobody's, and
 * the old one ends, too. The old one up to 6: the new one opens sockets of its own. After that
 * it is not needed.
 */
#ifndef SLUICE_FWD_TAKEOVER_H
#define SLUICE_FWD_TAKEOVER_H

#include <stdbool.h>

struct sl_agent;

/*
 * The new agent, prepared, to step 3. 0 and *other, a connection for sl_takeover_end(): the frames
 * and sockets are in agent->fwd; or 0 and -1: there is no other any more, to open sockets; or
 * -errno, said.
 */
int sl_takeover(struct sl_agent *agent, int *other);

/*
 * Steps 5 and 6: 0 and *record_fd, the caller's to close; -EPIPE, said: there is no other any
 * more; or another -errno, said.
 */
int sl_takeover_record(int other, int *record_fd);

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
