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
struct sl_fwd;

/*
 * Forks it and waits until it is ready to forward. 0, -EDOM (the configuration is wrong) or
 * another -errno, and there is none.
 */
int sl_supervise_start(struct sl_agent *agent);

/*
 * Forks the next one, which is to go on with the frames and sockets of `fwd`, and waits until it
 * stands by; `witness` as for sl_plane_run(). The same.
 */
int sl_supervise_prepare(struct sl_agent *agent, struct sl_fwd *fwd,
			 int witness);

/*
 * The next one goes on from the record, which stays the caller's, and is the one that forwards. 0,
 * or -errno and there is neither.
 */
int sl_supervise_adopt(struct sl_agent *agent, int record_fd);

/* Tells it which ports can send and which are to be polled, by the agent's copy. */
void sl_supervise_ports(struct sl_agent *agent);

/* Tells it where the copies of each `mirror` go. */
void sl_supervise_mirrors(struct sl_agent *agent);

/* Tells the workers how their CPUs are pressed, as of the agent's last reading. */
void sl_supervise_pressure(struct sl_agent *agent);

/*
 * The first worker that has not gone round since this was asked last; -1: all have. 0, or -errno,
 * said: it did not answer, or with nonsense, and there is none.
 */
int sl_supervise_stuck(struct sl_agent *agent, int *worker);

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
 * Stops its workers, with frames and rings as they are: 0 and *record_fd, the caller's to close,
 * or -errno. None forwards afterwards in either case; it is to be buried.
 */
int sl_supervise_hold(struct sl_agent *agent, int *record_fd);

/* Waits for the end of one that was held: its couriers may have copies left. None is fine. */
void sl_supervise_bury(struct sl_agent *agent);

/* After its channel woke us: false if it has ended, which was said, and there is none. */
bool sl_supervise_alive(struct sl_agent *agent);

/* Ends the one that forwards, and the next one, on the spot. None is fine. */
void sl_supervise_kill(struct sl_agent *agent);
void sl_supervise_drop(struct sl_agent *agent);

#endif /* SLUICE_FWD_SUPERVISE_H */
