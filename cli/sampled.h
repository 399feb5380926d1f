/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What commands share that show packets which `log` rules have sampled. */
#ifndef SLUICE_CLI_SAMPLED_H
#define SLUICE_CLI_SAMPLED_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

struct json_t;
struct sl_samples;

/*
 * Says which of the n interfaces has no rule that logs. CLI_OK; CLI_INPUT, said, when there is
 * no rule `rule` (NULL: none is asked for).
 */
int cli_sampled_check(const struct sl_samples *samples,
		      char (*interfaces)[IF_NAMESIZE], size_t n,
		      const char *rule);

/* Is `rule` the one that decided, or among those that logged? Names may be NULL: not known. */
bool cli_sampled_by(const char *rule, const char *decided,
		    const char *const *logs, size_t n_logs);

/* The names of those that logged; null is one not known. NULL without memory. */
struct json_t *cli_sampled_logs_json(const char *const *logs, size_t n_logs);

#endif /* SLUICE_CLI_SAMPLED_H */
