// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "config.h"
#include "error.h"
#include "observe.h"
#include "rulelist.h"
#include "running.h"
#include "symbol.h"

static int add_counters(const struct sl_filter *filter,
			const struct sl_symbols *by_name,
			struct sl_rules_group *group)
{
	struct sl_stats stats;
	int err = sl_stats_read(filter, &stats);

	if (err)
		return err;
	for (size_t i = 0; i < stats.n_rules; i++) {
		size_t index =
			sl_symbols_find(by_name, stats.rules[i].name.name);
		struct sl_counter *sum;

		if (index == SL_SYMBOL_NONE)
			continue;
		sum = &group->rules[index].counter;
		sum->packets += stats.rules[i].counter.packets;
		sum->bytes += stats.rules[i].counter.bytes;
	}
	sl_stats_fini(&stats);
	return 0;
}

static int read_counters(const struct sl_running *running,
			 struct sl_rules_group *group)
{
	struct sl_symbols by_name = { 0 };
	int err = sl_rulelist_index(group->config, &by_name);

	for (size_t i = 0; i < running->n_filters && !err; i++)
		err = add_counters(&running->filters[i].filter, &by_name,
				   group);
	sl_symbols_fini(&by_name);
	return err;
}

static int make_room(const struct sl_running *running,
		     struct sl_rules_group *group)
{
	size_t n = group->config->n_rules;
	struct sl_rules_entry *rules = calloc(n + 1, sizeof(*rules));
	char(*interfaces)[IF_NAMESIZE] =
		calloc(running->n_filters + 1, sizeof(*interfaces));

	if (!rules || !interfaces) {
		free(rules);
		free(interfaces);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++)
		rules[i].rule = &group->config->rules[i];
	for (size_t i = 0; i < running->n_filters; i++)
		memcpy(interfaces[i], running->filters[i].interface,
		       sizeof(*interfaces));
	group->rules = rules;
	group->n_rules = n;
	group->interfaces = interfaces;
	group->n_interfaces = running->n_filters;
	return 0;
}

static int read_group(const struct sl_running *running,
		      struct sl_rules_group *group, struct sl_error *error)
{
	int err = sl_running_parse(running, &group->config, error);

	if (err)
		return err;
	err = make_room(running, group);
	if (!err)
		err = read_counters(running, group);
	return err ? sl_error_set(error, err, "%s: read counters: %s",
				  running->filters[0].interface,
				  strerror(-err)) :
		     0;
}

static int read_groups(const struct sl_runnings *runnings,
		       const char *interface, struct sl_rules_list *list,
		       struct sl_error *error)
{
	int err = 0;

	list->groups = calloc(runnings->n_items + 1, sizeof(*list->groups));
	if (!list->groups)
		return sl_error_set(error, -ENOMEM, "out of memory");
	for (size_t i = 0; i < runnings->n_items && !err; i++) {
		const struct sl_running *running = &runnings->items[i];

		if (!interface || sl_running_on(running, interface))
			err = read_group(running,
					 &list->groups[list->n_groups++],
					 error);
	}
	if (!err && interface && !list->n_groups)
		err = sl_error_set(error, -ENOENT,
				   "%s: no configuration runs on it; `sluice "
				   "apply FILE` makes one run",
				   interface);
	return err;
}

int sl_rules_list(const char *interface, struct sl_rules_list *list,
		  struct sl_error *error)
{
	struct sl_rules_list read = { 0 };
	struct sl_runnings runnings;
	int err = sl_runnings_open(&runnings, error);

	if (err)
		return err;
	err = read_groups(&runnings, interface, &read, error);
	sl_runnings_close(&runnings);
	if (err) {
		sl_rules_list_fini(&read);
		return err;
	}
	read.now_ns = sl_clock_ns();
	*list = read;
	return 0;
}

void sl_rules_list_fini(struct sl_rules_list *list)
{
	for (size_t i = 0; i < list->n_groups; i++) {
		sl_config_free(list->groups[i].config);
		free(list->groups[i].interfaces);
		free(list->groups[i].rules);
	}
	free(list->groups);
	*list = (struct sl_rules_list){ 0 };
}
