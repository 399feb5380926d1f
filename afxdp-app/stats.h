/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The forwarder's statistics as text or JSON; docs/forwarder.md names the keys. */
#ifndef SLUICE_FWD_STATS_H
#define SLUICE_FWD_STATS_H

#include <stdbool.h>
#include <stdio.h>

struct sl_fwd;

/*
 * Prints and flushes; call sl_fwd_refresh() before. JSON is one object on one line.
 * `accounted` is what is said of the frames: while running that the ledger adds up and saw no
 * violation, at the end what sl_fwd_stop() returned. Main thread. 0, -ENOMEM or -EIO.
 */
int sl_fwd_stats_print(const struct sl_fwd *fwd, bool json, bool accounted,
		       FILE *out);

/* Whether each worker's frame counts add up to its total without a violation. Main thread, at any time. */
bool sl_fwd_stats_accounted(const struct sl_fwd *fwd);

#endif /* SLUICE_FWD_STATS_H */
