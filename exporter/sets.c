// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "sets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/config.h"
#include "lib/diag.h"
#include "lib/filter.h"
#include "lib/observe.h"
#include "sluice/live.h"

static int add(struct sl_sets *sets, const struct sl_set_size *size)
{
	char *name = strdup(size->name);

	if (!name)
		return -ENOMEM;
	sets->items[sets->n] = *size;
	sets->items[sets->n++].name = name;
	return 0;
}

static int copy(const struct sl_sets *from, struct sl_sets *sets)
{
	int err = 0;

	sets->items = calloc(from->n + 1, sizeof(*sets->items));
	if (!sets->items)
		return -ENOMEM;
	for (size_t i = 0; i < from->n && !err; i++)
		err = add(sets, &from->items[i]);
	return err;
}

/* Not before a line of the canonical text begins with a set: most have none. */
static int parse(const struct sl_filter *filter, struct sl_sets *sets)
{
	struct sl_diags diags = { 0 };
	struct sl_config *config = NULL;
	char *text = sl_filter_text(filter);
	int err = 0;

	if (text && strstr(text, "\nset "))
		err = sl_config_parse(text, strlen(text), "running", &diags,
				      &config);
	sl_diags_fini(&diags);
	free(text);
	if (err)
		return err;
	sets->items =
		calloc(config ? config->n_sets + 1 : 1, sizeof(*sets->items));
	if (!sets->items)
		err = -ENOMEM;
	for (size_t i = 0; config && i < config->n_sets && !err; i++) {
		const struct sl_set *set = config->sets[i];

		err = add(sets, &(struct sl_set_size){
					.name = set->name,
					.live = set->live,
					.items = set->mac ? set->n_macs :
							    set->n_prefixes });
	}
	sl_config_free(config);
	return err;
}

/* One that is being changed may be off by the change: no lock is taken to look at it. */
static int count_live(const struct sl_filter *filter, struct sl_sets *sets)
{
	const struct sl_live_header *header;

	if (!filter->gen.live.bytes)
		return 0;
	header = mmap(NULL, SL_LIVE_HEADER_BYTES, PROT_READ, MAP_SHARED,
		      filter->map_fd[SL_MAP_LIVE], 0);
	if (header == MAP_FAILED)
		return -errno;
	for (size_t i = 0; i < sets->n; i++)
		for (uint32_t k = 0; sets->items[i].live &&
				     k < header->n_sets && k < SL_LIVE_SETS_MAX;
		     k++)
			if (strcmp(header->sets[k].name, sets->items[i].name) ==
			    0) {
				sets->items[i].items = header->sets[k].count;
				sets->items[i].most = header->sets[k].max;
			}
	munmap((void *)header, SL_LIVE_HEADER_BYTES);
	return 0;
}

int sl_sets_read(const struct sl_filter *filter, const struct sl_sets *before,
		 struct sl_sets *sets)
{
	struct sl_sets read = { .prog_id = filter->prog_id };
	int err = before && before->prog_id == filter->prog_id ?
			  copy(before, &read) :
			  parse(filter, &read);

	if (!err)
		err = count_live(filter, &read);
	if (err)
		sl_sets_fini(&read);
	else
		*sets = read;
	return err;
}

void sl_sets_fini(struct sl_sets *sets)
{
	for (size_t i = 0; i < sets->n; i++)
		free(sets->items[i].name);
	free(sets->items);
	*sets = (struct sl_sets){ 0 };
}
