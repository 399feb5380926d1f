/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Reading what `log` rules have sampled: the ring of each interface's filter,
 * followed from reload to reload. A ring has one reader at a time, because
 * what one has read the next does not see.
 */
#ifndef SLUICE_SAMPLES_H
#define SLUICE_SAMPLES_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sluice/abi.h"

struct sl_error;
struct sl_filter;
struct sl_samples;

struct sl_sample {
	const char *interface;
	size_t interface_index; /* into what sl_samples_open() was given */
	uint64_t time_ns;	/* since 1970, by the clock as it is set now */
	const struct sl_log_record *record;
	/*
	 * NULL is a rule that is in no configuration any more whose names are
	 * known: samples may lie in the ring while reloads go by.
	 */
	const char *logs[SL_LOG_RULES]; /* log rules in their order */
	size_t n_logs;
	const char *rule; /* that decided; also NULL when none did */
};

/* Called for each sample, which is valid during the call. Not 0 ends reading. */
typedef int (*sl_sample_reader)(void *context, const struct sl_sample *sample);

/*
 * Opens the rings of n interfaces, whose names must outlive *samples. 0 and the
 * caller closes *samples, or -errno with a message: -EBUSY when another process
 * reads one of them, -EINVAL when an interface has no Sluice filter.
 */
int sl_samples_open(char (*interfaces)[IF_NAMESIZE], size_t n,
		    struct sl_samples **samples, struct sl_error *error);

/*
 * Waits for samples, `timeout_ms` at most and less when a signal comes, and
 * reads those that are there. An interface that loses its filter and is given
 * another is read again within a second. 0; -ENODATA when no filter is left on
 * any (said in no message); what `reader` returned, if not 0: the sample it returned that for
 * counts as read; or another -errno with a message.
 */
int sl_samples_poll(struct sl_samples *samples, int timeout_ms,
		    sl_sample_reader reader, void *context,
		    struct sl_error *error);

/*
 * Reads, without waiting, what the rings hold at this moment: for the end of
 * the reading, so that no sample is left behind. Returns as sl_samples_poll()
 * does, but never -ENODATA.
 */
int sl_samples_drain(struct sl_samples *samples, sl_sample_reader reader,
		     void *context, struct sl_error *error);

/* Is there such a rule in the configuration of one of the interfaces? */
bool sl_samples_has_rule(const struct sl_samples *samples, const char *rule);

/* Does some rule of interface i log? */
bool sl_samples_expected(const struct sl_samples *samples, size_t i);

/* The filter of interface i, until the next poll; NULL: it has none now. */
const struct sl_filter *sl_samples_filter(const struct sl_samples *samples,
					  size_t i);

/*
 * How many samples interface i has lost since its filter was attached because
 * the ring was full; 0 also when its filter is gone.
 */
uint64_t sl_samples_lost(const struct sl_samples *samples, size_t i);

void sl_samples_close(struct sl_samples *samples); /* NULL is fine */

#endif /* SLUICE_SAMPLES_H */
