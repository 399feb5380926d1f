// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "sampled.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "cli.h"
#include "lib/samples.h"

int cli_sampled_check(const struct sl_samples *samples,
		      char (*interfaces)[IF_NAMESIZE], size_t n,
		      const char *rule)
{
	for (size_t i = 0; i < n; i++)
		if (!sl_samples_expected(samples, i))
			fprintf(stderr,
				"sluice: %s: no rule of it logs; waiting for "
				"one\n",
				interfaces[i]);
	if (!rule || sl_samples_has_rule(samples, rule))
		return CLI_OK;
	fprintf(stderr, "sluice: no rule \"%s\"; `sluice stats` lists them\n",
		rule);
	return CLI_INPUT;
}

bool cli_sampled_by(const char *rule, const char *decided,
		    const char *const *logs, size_t n_logs)
{
	if (decided && strcmp(decided, rule) == 0)
		return true;
	for (size_t i = 0; i < n_logs; i++)
		if (logs[i] && strcmp(logs[i], rule) == 0)
			return true;
	return false;
}

json_t *cli_sampled_logs_json(const char *const *logs, size_t n_logs)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n_logs; i++)
		json_array_append_new(list, logs[i] ? json_string(logs[i]) :
						      json_null());
	return list;
}
