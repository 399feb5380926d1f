/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The limiters of a configuration in the kernel: three maps (sluice/limit.h)
 * that its interfaces share and its generations hand on, so that a reload gives
 * nobody a fresh burst.
 */
#ifndef SLUICE_LIMIT_MAPS_H
#define SLUICE_LIMIT_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sl_compiled;
struct sl_config;
struct sl_error;
struct sl_filter;
struct sl_limiter_want;

struct sl_limit_maps {
	int limiters_fd, cpus_fd, lines_fd; /* -1: no rule limits */
	uint32_t n_lines;
	struct sl_limiter_want *wants; /* a limit rule each */
	const char **names;	       /* theirs; the configuration's */
	size_t n_wants;
};

/* An interface that the change is about. */
struct sl_limit_place {
	int ifindex;
	const struct sl_filter *previous; /* what runs there; or NULL */
};

/*
 * Makes ready what the limit rules of `config` need: in the maps that run on the
 * n places if they have room, beside what runs there, and no other interface
 * uses them; else in new ones. A limiter that is there by the same name with the
 * same meaning goes on. 0 and the caller closes *limits; or -errno with a message
 * (-EINVAL: more limiters than there can be), and nothing has changed.
 */
int sl_limit_maps_open(const struct sl_config *config,
		       const struct sl_limit_place *places, size_t n,
		       struct sl_limit_maps *limits, struct sl_error *error);

/*
 * Fills the buckets of each limiter that was made anew from one that runs on
 * these places in other maps, by the same name with the same meaning (of the
 * first place that has it). Just before the swap: what passes in between is
 * forgiven. 0, or -errno with a message, and nothing that runs has changed.
 */
int sl_limit_maps_carry(struct sl_limit_maps *limits,
			const struct sl_limit_place *places, size_t n,
			struct sl_error *error);

/* Tells the steps of compiled limit rules which limiter is theirs. */
void sl_limit_maps_assign(const struct sl_limit_maps *limits,
			  struct sl_compiled *compiled);

/* Frees the limiters that no rule has, after all interfaces have swapped. */
void sl_limit_maps_sweep(const struct sl_limit_maps *limits);

void sl_limit_maps_close(struct sl_limit_maps *limits);

#endif /* SLUICE_LIMIT_MAPS_H */
