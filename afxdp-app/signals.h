/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What wakes the main thread: signals, and changes of links. */
#ifndef SLUICE_FWD_SIGNALS_H
#define SLUICE_FWD_SIGNALS_H

#include <stdbool.h>
#include <stdint.h>

struct sl_fwd_signals {
	int signal_fd;
	int link_fd; /* rtnetlink, group link; -1 where it cannot be had: the clock is left */
};

/* What came up since the last look. */
struct sl_fwd_events {
	bool stop;	 /* SIGINT, SIGTERM */
	bool statistics; /* SIGUSR1 */
	bool reload;	 /* SIGHUP */
	bool link;
};

/*
 * Blocks SIGINT, SIGTERM, SIGHUP and SIGUSR1, for threads started later, too, and ignores SIGPIPE
 * and SIGXFSZ. 0 or -errno.
 */
int sl_fwd_signals_open(struct sl_fwd_signals *signals);
void sl_fwd_signals_close(struct sl_fwd_signals *signals);

/* Reads what came up; waits for nothing. */
void sl_fwd_signals_read(struct sl_fwd_signals *signals,
			 struct sl_fwd_events *events);

#endif /* SLUICE_FWD_SIGNALS_H */
