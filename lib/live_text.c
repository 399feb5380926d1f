// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "live_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "error.h"
#include "filter.h"
#include "live.h"
#include "observe.h"

/* Fills the live sets of the configuration from the map. */
static int fill_sets(const struct sl_filter *filter, struct sl_config *config)
{
	struct sl_error error;
	struct sl_live live;
	int err = sl_live_open(filter->map_fd[SL_MAP_LIVE], &live, &error);

	for (size_t i = 0; i < config->n_sets && !err; i++) {
		struct sl_set *set = config->sets[i];
		int bit = set->live ? sl_live_find(&live, set->name) : -1;

		if (!set->live)
			continue;
		free(set->prefixes);
		set->prefixes = NULL;
		set->n_prefixes = 0;
		err = bit < 0 ? bit :
				sl_live_list(&live, (unsigned)bit,
					     &set->prefixes, &set->n_prefixes);
	}
	sl_live_close(&live);
	return err;
}

static char *print_filled(const struct sl_filter *filter, const char *text)
{
	struct sl_diags diags = { 0 };
	struct sl_config *config = NULL;
	char *filled = NULL;
	size_t bytes = 0;
	FILE *out = NULL;
	int err =
		sl_config_parse(text, strlen(text), "running", &diags, &config);

	sl_diags_fini(&diags);
	if (!err)
		err = fill_sets(filter, config);
	if (!err)
		out = open_memstream(&filled, &bytes);
	if (out) {
		err = sl_config_print(config, SL_PRINT_EXPAND | SL_PRINT_LIVE,
				      out);
		if (fclose(out) != 0 || err) {
			free(filled);
			filled = NULL;
		}
	}
	sl_config_free(config);
	return filled;
}

char *sl_live_text(const struct sl_filter *filter)
{
	char *text = sl_filter_text(filter), *filled;

	if (!text || !filter->gen.live.bytes)
		return text;
	filled = print_filled(filter, text);
	free(text);
	return filled;
}
