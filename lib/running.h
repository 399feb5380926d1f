/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The configurations that run in this network namespace: the loaded filters,
 * together where they carry the same text.
 */
#ifndef SLUICE_RUNNING_H
#define SLUICE_RUNNING_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

#include "filter.h"

struct sl_config;
struct sl_error;

struct sl_running_filter {
	char interface[IF_NAMESIZE]; /* its name now; the text may say another */
	int ifindex;
	struct sl_filter filter;
};

struct sl_running {
	char *text; /* canonical, set files expanded */
	struct sl_running_filter *filters;
	size_t n_filters;
};

struct sl_runnings {
	struct sl_running *items;
	size_t n_items;
};

/*
 * Opens all. Filters without a configuration or of another version are left
 * out. 0 and the caller closes *runnings, or -errno with a message and there is
 * nothing to close.
 */
int sl_runnings_open(struct sl_runnings *runnings, struct sl_error *error);
void sl_runnings_close(struct sl_runnings *runnings);

/* Whether it runs on the interface of that name, or alternative name. */
bool sl_running_on(const struct sl_running *running, const char *interface);

/*
 * Parses the text, and gives each rule that expires the deadline that the
 * filters have for it. An interface that was renamed has its new name, in rules
 * too; where several were, the rules that are `on` them tell which is which. 0 and *config is the caller's, or -errno with a message.
 */
int sl_running_parse(const struct sl_running *running,
		     struct sl_config **config, struct sl_error *error);

/* Whether the configuration names the filter's interface. */
bool sl_running_names(const struct sl_config *config,
		      const struct sl_running_filter *filter);

#endif /* SLUICE_RUNNING_H */
