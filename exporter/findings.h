/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What is not as good as it could be, in words: what it means, and what to do. Only of what a
 * snapshot holds; what `sluice doctor` finds by asking kernel and card is not repeated.
 */
#ifndef SLUICE_EXPORTER_FINDINGS_H
#define SLUICE_EXPORTER_FINDINGS_H

struct json_t;
struct sl_snapshot;

/*
 * A list of {"level","where","text"}, level "bad" (something is wrong now) or "note" (it
 * works, at a price, or has lost something since it began). NULL without memory.
 */
struct json_t *sl_findings_json(const struct sl_snapshot *snapshot);

#endif /* SLUICE_EXPORTER_FINDINGS_H */
