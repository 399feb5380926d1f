/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* A snapshot as the JSON that the page shows; docs/metrics.md has its keys. */
#ifndef SLUICE_EXPORTER_STATE_H
#define SLUICE_EXPORTER_STATE_H

#include <stdio.h>

struct sl_snapshots;

/* Rules of an interface that it tells at most: those that matched most packets. */
#define SL_STATE_RULES 500

/* Prints the last snapshot. 0, or -ENOMEM or -EIO. */
int sl_state_print(const struct sl_snapshots *snapshots, FILE *out);

#endif /* SLUICE_EXPORTER_STATE_H */
