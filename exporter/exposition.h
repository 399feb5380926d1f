/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The text that Prometheus and its kin read: OpenMetrics 1.0, or the older Prometheus text
 * format 0.0.4, which `promtool check metrics` takes. Errors are the stream's.
 *
 *     sl_exposition_family(&e, SL_COUNTER, "sluice_rule_packets", "packets", "...");
 *     sl_exposition_label(&e, "rule", name);
 *     sl_exposition_count(&e, packets);
 */
#ifndef SLUICE_EXPORTER_EXPOSITION_H
#define SLUICE_EXPORTER_EXPOSITION_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum sl_metric_type { SL_COUNTER, SL_GAUGE, SL_INFO };

struct sl_exposition {
	FILE *out;
	bool open; /* OpenMetrics; else 0.0.4 */
	const char *name, *suffix;
	bool labelled; /* the sample under way has a label */
};

/*
 * Begins a family: its samples follow before the next. `name` is without _total or _info; it must
 * end in its unit, which is "" for none. The texts are ours: nothing in them is escaped.
 */
void sl_exposition_family(struct sl_exposition *e, enum sl_metric_type type,
			  const char *name, const char *unit, const char *help);

/*
 * A label of the next sample. `value` may come from anybody: it is escaped, and what is no
 * printable UTF-8 is written as \xNN.
 */
void sl_exposition_label(struct sl_exposition *e, const char *label,
			 const char *value);
void sl_exposition_number_label(struct sl_exposition *e, const char *label,
				uint64_t value);

/* Ends the sample with its value. */
void sl_exposition_count(struct sl_exposition *e, uint64_t value);
void sl_exposition_real(struct sl_exposition *e, double value);

/* Ends the text. */
void sl_exposition_end(struct sl_exposition *e);

#endif /* SLUICE_EXPORTER_EXPOSITION_H */
