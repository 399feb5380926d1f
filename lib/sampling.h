/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What a sample stands for, by the configuration of the filter that took it:
 * one packet in how many, and where its rule sends packets.
 */
#ifndef SLUICE_SAMPLING_H
#define SLUICE_SAMPLING_H

#include <stddef.h>
#include <stdint.h>

#include "symbol.h"

struct sl_config;
struct sl_filter;
struct sl_sample;

/* Start from `struct sl_sampling s = { 0 }`: of no configuration. */
struct sl_sampling {
	struct sl_config *config; /* NULL: none */
	struct sl_symbols rules;  /* its rules by name */
	uint32_t prog_id;	  /* of the filter; 0: not read yet */
	uint64_t generation;
};

/*
 * Reads the filter's configuration in place of the one before. 0, or -errno and
 * it is of no configuration. Main thread.
 */
int sl_sampling_read(const struct sl_filter *filter,
		     struct sl_sampling *sampling);

void sl_sampling_fini(struct sl_sampling *sampling);

/*
 * How many packets the sample stands for: by the log rule `only`, or (NULL) by
 * the one with the smallest number of those that took it. 0: it was not taken by
 * that one, or by none that is known.
 */
uint32_t sl_sampling_rate(const struct sl_sampling *sampling,
			  const struct sl_sample *sample, const char *only);

/* The device that the sample's packet left by, or 0: it did not, or not known. */
uint32_t sl_sampling_output(const struct sl_sampling *sampling,
			    const struct sl_sample *sample);

#endif /* SLUICE_SAMPLING_H */
