/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The agent's hold on the data plane: its start, its end, and what is asked of it in between.
 * Every wait is bounded; a data plane that outlives a bound is killed. Failures are said.
 */
#ifndef SLUICE_FWD_SUPERVISE_H
#define SLUICE_FWD_SUPERVISE_H

#include <stdbool.h>
#include <stddef.h>

struct sl_agent;

/*
 * Forks it and waits until it is ready to forward; record_fd as for sl_plane_run(). 0, -EDOM (the
 * configuration is wrong) or another -errno, and there is none.
 */
int sl_supervise_start(struct sl_agent *agent, int record_fd);

/* Tells it which ports can send and which are to be polled, by the agent's copy. */
void sl_supervise_ports(struct sl_agent *agent);

/* Its statistics as an allocated text: 0 or -errno. */
int sl_supervise_text(struct sl_agent *agent, bool json, char **text,
		      size_t *bytes);

/* The same to standard output, as the options want them. */
void sl_supervise_stats(struct sl_agent *agent);

/*
 * Ends it, after the XSKMAPs were emptied, and prints its last statistics. True if it accounted
 * for all frames.
 */
bool sl_supervise_stop(struct sl_agent *agent);

/*
 * Ends it with its frames and rings as they are: 0 and *record_fd, the caller's to close, or
 * -errno. There is none afterwards in either case.
 */
int sl_supervise_hold(struct sl_agent *agent, int *record_fd);

/* After its channel woke us: false if it has ended, which was said, and there is none. */
bool sl_supervise_alive(struct sl_agent *agent);

void sl_supervise_kill(struct sl_agent *agent);

#endif /* SLUICE_FWD_SUPERVISE_H */
