/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The data plane's process: it owns frames, rings, workers and stages from the fork to its end.
 * agent.h tells how it is started and what it may do. Main thread of the data plane.
 */
#ifndef SLUICE_FWD_PLANE_H
#define SLUICE_FWD_PLANE_H

struct sl_fwd;

/* How it ends, beside SL_SANDBOX_REFUSED. */
enum { SL_PLANE_DONE = 0, SL_PLANE_INPUT = 1, SL_PLANE_SYSTEM = 3 };

/*
 * Opens the stages, gives up privileges, starts the workers, and does what comes over
 * `channel` until that tells it to end. `record_fd` -1: the sockets are open, their rings
 * mapped and filled. Else they are another's, bound, and the record says where it stopped
 * (handover.h). Failures are said. Does not return.
 */
_Noreturn void sl_plane_run(struct sl_fwd *fwd, int channel, int record_fd);

#endif /* SLUICE_FWD_PLANE_H */
