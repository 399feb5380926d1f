/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* A snapshot as metrics; docs/metrics.md lists them. */
#ifndef SLUICE_EXPORTER_METRICS_H
#define SLUICE_EXPORTER_METRICS_H

#include <stdbool.h>
#include <stdio.h>

struct json_t;
struct sl_exposition;
struct sl_served;
struct sl_snapshots;

/* Prints the last snapshot, as OpenMetrics or (open: false) as Prometheus text. */
void sl_metrics_print(const struct sl_snapshots *snapshots,
		      const struct sl_served *served, bool open, FILE *out);

/* The part that forwarders tell of themselves: what sl_fwdstats_ask() gave. */
void sl_metrics_forwarders(struct sl_exposition *e,
			   const struct json_t *forwarders);

#endif /* SLUICE_EXPORTER_METRICS_H */
