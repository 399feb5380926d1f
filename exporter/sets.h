/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The sets of a loaded configuration and how much each holds. Those that are folded into the
 * tables are counted in the configuration's text, once a generation; live ones in their map.
 */
#ifndef SLUICE_EXPORTER_SETS_H
#define SLUICE_EXPORTER_SETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sl_filter;

struct sl_set_size {
	char *name;
	bool live;
	uint64_t items; /* prefixes, or MACs */
	uint64_t most;	/* live: prefixes it may hold */
};

struct sl_sets {
	uint32_t prog_id; /* the generation they were read of */
	struct sl_set_size *items;
	size_t n;
};

/*
 * `before` is what was read of the same interface before, or NULL. 0 and the caller's *sets, to
 * be freed with sl_sets_fini(); or -errno.
 */
int sl_sets_read(const struct sl_filter *filter, const struct sl_sets *before,
		 struct sl_sets *sets);
void sl_sets_fini(struct sl_sets *sets);

#endif /* SLUICE_EXPORTER_SETS_H */
