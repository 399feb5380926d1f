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

/*
 * Makes ready what the limit rules of `config` need: in the maps of `previous`
 * (NULL: none) if they have room, beside what runs there, else in new ones. A
 * limiter that is there by the same name with the same meaning goes on. 0 and
 * the caller closes *limits; or -errno with a message, and nothing has changed.
 */
int sl_limit_maps_open(const struct sl_config *config,
		       const struct sl_filter *previous,
		       struct sl_limit_maps *limits, struct sl_error *error);

/*
 * Are the limiters of `filter` in use on interfaces (of this network namespace)
 * other than these n? Then they are not this change's to place and to sweep. 1,
 * 0, or -errno with a message.
 */
int sl_limit_maps_elsewhere(const struct sl_filter *filter,
			    const int *ifindexes, size_t n,
			    struct sl_error *error);

/* Tells the steps of compiled limit rules which limiter is theirs. */
void sl_limit_maps_assign(const struct sl_limit_maps *limits,
			  struct sl_compiled *compiled);

/* Frees the limiters that no rule has, after all interfaces have swapped. */
void sl_limit_maps_sweep(const struct sl_limit_maps *limits);

void sl_limit_maps_close(struct sl_limit_maps *limits);

#endif /* SLUICE_LIMIT_MAPS_H */
