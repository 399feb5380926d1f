/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a run came to, as text and as JSON with the same facts.
 */
#ifndef SLUICE_GEN_REPORT_H
#define SLUICE_GEN_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct device;
struct replay;
struct worker;

enum report_end {
	REPORT_COUNT,
	REPORT_DURATION,
	REPORT_SIGNAL,
	REPORT_BLOCKED,
	REPORT_ERROR
};

struct report {
	const struct device *device;
	const struct replay *replay; /* NULL: generated packets */
	const struct worker *workers;
	size_t n_workers;
	enum report_end end;
	uint64_t attempted;   /* packets handed to the device */
	uint64_t bytes;	      /* of these, without FCS */
	uint64_t transmitted; /* packets that the device counted as sent */
	uint64_t refused;     /* that it counted as refused; if exact */
	bool exact;	      /* see struct device_counters */
	uint64_t elapsed_ns;
	uint32_t batch;
};

/* 0, or -EIO when the stream failed. */
int sl_gen_report_print_text(const struct report *report, FILE *out);
int sl_gen_report_print_json(const struct report *report, FILE *out);

#endif /* SLUICE_GEN_REPORT_H */
