/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * From `limit RATE [burst N] [per source ...]` to a limiter's constants, and
 * where its buckets stand. Pure: no system call, no globals, any thread. What
 * the constants mean is said in sluice/limit.h and xdp/limit.h.
 */
#ifndef SLUICE_LIMITER_H
#define SLUICE_LIMITER_H

#include <stddef.h>
#include <stdint.h>

#include "sluice/limit.h"

struct sl_action_spec;
struct sl_config;
struct sl_rule;

/*
 * Buckets of a limiter per source: 131,072, in 1 MiB. A source needs one while
 * it is in debt, so a flood of one-packet sources fills them at
 * 131,072 * RATE packets a second: 131 M at 1 kpps, 131 k at 1 pps.
 */
#define SL_LIMITER_SOURCE_LINES (1u << 14)

/* Lines of all limiters of a configuration: 64 MiB. */
#define SL_LIMITER_LINES_MAX (1u << 20)

/*
 * The burst that holds: as written, or 100 ms of the rate (a TCP round trip
 * over any distance), but 8 packets or 64 KiB (the largest frame) at least.
 * Packets, or bytes where the rate is in bits.
 */
uint64_t sl_limiter_burst(const struct sl_action_spec *spec);

/* The lines that its buckets fill; a power of two. */
uint32_t sl_limiter_lines(const struct sl_action_spec *spec);

/* The limit rules of a configuration; start from { 0 }. */
struct sl_limiter_sum {
	uint32_t n_limiters, n_lines;
};

/*
 * Adds one of so many lines. NULL; or why there are too many then, and what to
 * do (half a sentence that does not change), and *sum is unchanged.
 */
const char *sl_limiter_count(struct sl_limiter_sum *sum, uint32_t lines);

/*
 * Counts those of the configuration, up to the first one too many: that rule,
 * and *why as above; or NULL.
 */
const struct sl_rule *sl_limiter_count_rules(const struct sl_config *config,
					     struct sl_limiter_sum *sum,
					     const char **why);

/*
 * Fills *l, all but `line`. `cpus` may claim at the same time (at least 1);
 * `secret` is from getrandom(2), one for each limiter. 0; -EINVAL if the rate
 * is 0, -ERANGE if it is over 10^12 or the name over 63 bytes: *l is unchanged.
 */
int sl_limiter_init(struct sl_limiter *l, const char *name,
		    const struct sl_action_spec *spec, unsigned cpus,
		    uint64_t secret);

/* One limiter that is wanted, and the slot that it gets. */
struct sl_limiter_want {
	struct sl_limiter limiter; /* by sl_limiter_init() */
	uint32_t slot;
	int fresh; /* its cpu entries and lines are to be zeroed first */
};

/*
 * The slot of the limiter with the same name and the same meaning: its buckets
 * can be taken over, with its key. SL_LIMITERS_MAX: there is none.
 */
uint32_t sl_limiter_find(const struct sl_limiter table[SL_LIMITERS_MAX],
			 const struct sl_limiter *limiter);

/*
 * Gives every limiter wanted its slot and lines. One that stands in `table`
 * with the same name and the same meaning keeps both, and its key: its buckets
 * live on. The others get slots and lines that nothing in `table` uses, because
 * the running generation may use what stands there. `n_lines` is the size of
 * sl_limit_lines.
 *
 * Then: zero what is fresh, write the fresh entries of sl_limiters, swap
 * programs on all interfaces, and zero the entries of sl_limiters that no
 * wanted limiter has. 0; -ENOSPC if slots or lines do not suffice: make new
 * maps, with twice the lines of sl_limiter_count(), so that the next
 * configuration finds room beside this one.
 */
int sl_limiters_place(const struct sl_limiter table[SL_LIMITERS_MAX],
		      uint32_t n_lines, struct sl_limiter_want *wanted,
		      size_t n_wanted);

#endif /* SLUICE_LIMITER_H */
