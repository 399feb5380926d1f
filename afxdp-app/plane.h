/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The data plane's process: it owns frames, rings, workers and stages from the fork to its end.
 * agent.h tells how it is started and what it may do. Main thread of the data plane.
 */
#ifndef SLUICE_FWD_PLANE_H
#define SLUICE_FWD_PLANE_H

#include <stdbool.h>

struct sl_fwd;

/* How it ends, beside SL_SANDBOX_REFUSED. */
enum { SL_PLANE_DONE = 0, SL_PLANE_INPUT = 1, SL_PLANE_SYSTEM = 3 };

struct sl_plane_start {
	int channel; /* to the agent */
	/*
	 * False: the sockets are open, their rings mapped and filled. True: they are another's, bound,
	 * and it stands by until the channel brings the record of where that one stopped (handover.h).
	 */
	bool adopts;
	/*
	 * -1, or a connection whose other end learns by its closing that this process, too, does not
	 * use frames and sockets any more.
	 */
	int witness;
};

/*
 * Opens the stages, gives up privileges, starts the workers, and does what comes over the
 * channel until that tells it to end. Failures are said. Does not return.
 */
_Noreturn void sl_plane_run(struct sl_fwd *fwd,
			    const struct sl_plane_start *start);

#endif /* SLUICE_FWD_PLANE_H */
