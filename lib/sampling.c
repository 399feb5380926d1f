// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "sampling.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "filter.h"
#include "observe.h"
#include "rulelist.h"
#include "samples.h"

void sl_sampling_fini(struct sl_sampling *sampling)
{
	sl_symbols_fini(&sampling->rules);
	sl_config_free(sampling->config);
	*sampling = (struct sl_sampling){ 0 };
}

int sl_sampling_read(const struct sl_filter *filter,
		     struct sl_sampling *sampling)
{
	char *text = sl_filter_text(filter);
	struct sl_diags diags = { 0 };
	int err = text ? 0 : -ENOENT;

	sl_sampling_fini(sampling);
	if (!err)
		err = sl_config_parse(text, strlen(text), "running", &diags,
				      &sampling->config);
	if (!err)
		err = sl_rulelist_index(sampling->config, &sampling->rules);
	sl_diags_fini(&diags);
	free(text);
	if (err)
		sl_sampling_fini(sampling);
	/* Also of what cannot be read, which is not to be read again and again. */
	sampling->prog_id = filter->prog_id;
	sampling->generation = filter->gen.generation;
	return err;
}

static const struct sl_rule *find(const struct sl_sampling *sampling,
				  const char *name)
{
	size_t i = name && sampling->config ?
			   sl_symbols_find(&sampling->rules, name) :
			   SL_SYMBOL_NONE;

	return i == SL_SYMBOL_NONE ? NULL : &sampling->config->rules[i];
}

uint32_t sl_sampling_rate(const struct sl_sampling *sampling,
			  const struct sl_sample *sample, const char *only)
{
	uint64_t least = 0;

	for (size_t i = 0; i < sample->n_logs; i++) {
		const struct sl_rule *rule = find(sampling, sample->logs[i]);
		uint64_t rate;

		if (!rule || rule->verdict.action != SL_ACTION_LOG ||
		    (only && strcmp(rule->name, only) != 0))
			continue;
		rate = rule->verdict.sample ? rule->verdict.sample : 1;
		if (!least || rate < least)
			least = rate;
	}
	return (uint32_t)least;
}

uint32_t sl_sampling_output(const struct sl_sampling *sampling,
			    const struct sl_sample *sample)
{
	const struct sl_log_record *r = sample->record;
	const struct sl_rule *rule;

	if (r->verdict == SL_VERDICT_BOUNCE)
		return r->ifindex;
	rule = r->verdict == SL_VERDICT_REDIRECT ?
		       find(sampling, sample->rule) :
		       NULL;
	return rule && rule->verdict.device ?
		       if_nametoindex(rule->verdict.device) :
		       0;
}
