// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "running.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "attach.h"
#include "config.h"
#include "error.h"
#include "observe.h"
#include "rulelist.h"
#include "symbol.h"

/* Each turn, another `sluice` has reloaded between two of our system calls. */
#define REPLACED_MAX 8

static int no_memory(struct sl_error *error)
{
	return sl_error_set(error, -ENOMEM, "out of memory");
}

/* The configuration with that text, which it takes over; NULL: no memory. */
static struct sl_running *find_or_add(struct sl_runnings *runnings, char *text)
{
	struct sl_running *items;

	for (size_t i = 0; i < runnings->n_items; i++)
		if (strcmp(runnings->items[i].text, text) == 0) {
			free(text);
			return &runnings->items[i];
		}
	items = sl_array_room(runnings->items, runnings->n_items,
			      sizeof(*items));
	if (!items) {
		free(text);
		return NULL;
	}
	runnings->items = items;
	items += runnings->n_items++;
	items->text = text;
	return items;
}

/* Takes `f` over, or closes it. */
static int add_filter(struct sl_runnings *runnings, struct sl_running_filter *f,
		      struct sl_error *error)
{
	char *text = sl_filter_text(&f->filter);
	struct sl_running *running;
	struct sl_running_filter *filters;

	if (!text) { /* `ip` attached it, without a configuration */
		sl_filter_close(&f->filter);
		return 0;
	}
	running = find_or_add(runnings, text);
	filters = running ? sl_array_room(running->filters, running->n_filters,
					  sizeof(*filters)) :
			    NULL;
	if (!filters) {
		sl_filter_close(&f->filter);
		return no_memory(error);
	}
	running->filters = filters;
	filters[running->n_filters++] = *f;
	return 0;
}

/* -ENOENT: there is none. One that was replaced since it was found is sought
 * again. */
static int open_filter(const char *name, struct sl_running_filter *f,
		       struct sl_error *error)
{
	int err = -ENOENT;

	for (int turn = 0; turn < REPLACED_MAX && err == -ENOENT; turn++) {
		struct sl_attachment attachment;

		err = sl_attachment_open(name, &attachment, error);
		if (err)
			return err == -ENODEV ? -ENOENT : err;
		f->ifindex = attachment.ifindex;
		memcpy(f->interface, attachment.interface,
		       sizeof(f->interface));
		sl_attachment_close(&attachment);
		if (!attachment.prog_id)
			return -ENOENT;
		err = sl_filter_open(attachment.prog_id, &f->filter, error);
	}
	return err;
}

static int add_interface(struct sl_runnings *runnings, const char *name,
			 struct sl_error *error)
{
	struct sl_running_filter f = { 0 };
	int err = open_filter(name, &f, error);

	if (err == -ENOENT || err == -ENOMSG || err == -EPROTO)
		return 0; /* none, not ours, of another version */
	return err ? err : add_filter(runnings, &f, error);
}

int sl_runnings_open(struct sl_runnings *runnings, struct sl_error *error)
{
	struct if_nameindex *all = if_nameindex();
	int err = 0;

	*runnings = (struct sl_runnings){ 0 };
	if (!all)
		return sl_error_set(error, -errno, "interfaces: list: %s",
				    strerror(errno));
	for (size_t i = 0; all[i].if_index && !err; i++)
		err = add_interface(runnings, all[i].if_name, error);
	if_freenameindex(all);
	if (err)
		sl_runnings_close(runnings);
	return err;
}

void sl_runnings_close(struct sl_runnings *runnings)
{
	for (size_t i = 0; i < runnings->n_items; i++) {
		struct sl_running *running = &runnings->items[i];

		for (size_t k = 0; k < running->n_filters; k++)
			sl_filter_close(&running->filters[k].filter);
		free(running->filters);
		free(running->text);
	}
	free(runnings->items);
	*runnings = (struct sl_runnings){ 0 };
}

bool sl_running_on(const struct sl_running *running, const char *interface)
{
	int ifindex = (int)if_nametoindex(interface);

	for (size_t i = 0; i < running->n_filters && ifindex; i++)
		if (running->filters[i].ifindex == ifindex)
			return true;
	return false;
}

bool sl_running_names(const struct sl_config *config,
		      const struct sl_running_filter *filter)
{
	for (size_t i = 0; i < config->n_interfaces; i++)
		if ((int)if_nametoindex(config->interfaces[i].name) ==
		    filter->ifindex)
			return true;
	return false;
}

/* Two interfaces have one deadline; if they had two, the later one. */
static int read_deadlines(const struct sl_filter *filter,
			  const struct sl_symbols *by_name,
			  struct sl_config *config)
{
	struct sl_rule_name *names =
		calloc(filter->n_slots + 1, sizeof(*names));
	int err = names ? sl_filter_names(filter, names) : -ENOMEM;

	for (uint32_t i = 0; i < filter->n_slots && !err; i++) {
		struct sl_rule *rule;
		size_t index;

		names[i].name[SL_NAME_BYTES - 1] = '\0';
		if (!names[i].expires_ns)
			continue;
		index = sl_symbols_find(by_name, names[i].name);
		if (index == SL_SYMBOL_NONE)
			continue;
		rule = &config->rules[index];
		if (rule->deadline_ns < names[i].expires_ns)
			rule->deadline_ns = names[i].expires_ns;
	}
	free(names);
	return err;
}

static int set_deadlines(const struct sl_running *running,
			 struct sl_config *config, struct sl_error *error)
{
	struct sl_symbols by_name = { 0 };
	int err = sl_rulelist_index(config, &by_name);

	for (size_t i = 0; i < running->n_filters && !err; i++)
		err = read_deadlines(&running->filters[i].filter, &by_name,
				     config);
	sl_symbols_fini(&by_name);
	return err ? sl_error_set(error, err, "%s: read rule names: %s",
				  running->filters[0].interface,
				  strerror(-err)) :
		     0;
}

/* The filter has just the rules of the text that are `on` this interface. */
static bool fits(const struct sl_symbols *loaded,
		 const struct sl_config *config, const char *interface)
{
	for (size_t i = 0; i < config->n_rules; i++) {
		const struct sl_rule *rule = &config->rules[i];
		bool has = sl_symbols_find(loaded, rule->name) !=
			   SL_SYMBOL_NONE;

		if (rule->on && has != (strcmp(rule->on, interface) == 0))
			return false;
	}
	return true;
}

/*
 * The interface of the text that the filter was loaded for, when its own name is
 * not there: one that nobody else runs, and first one whose name is gone.
 */
static struct sl_interface *find_renamed(const struct sl_running *running,
					 const struct sl_symbols *loaded,
					 struct sl_config *config)
{
	struct sl_interface *found = NULL;

	for (size_t i = 0; i < config->n_interfaces; i++) {
		struct sl_interface *interface = &config->interfaces[i];
		bool gone = if_nametoindex(interface->name) == 0;

		if (sl_running_on(running, interface->name) ||
		    !fits(loaded, config, interface->name))
			continue;
		if (gone)
			return interface;
		if (!found)
			found = interface;
	}
	return found;
}

/* 0 and *interface, which may be NULL; or -errno. */
static int find_interface(const struct sl_running *running,
			  const struct sl_running_filter *filter,
			  struct sl_config *config,
			  struct sl_interface **interface)
{
	struct sl_rule_name *names =
		calloc(filter->filter.n_slots + 1, sizeof(*names));
	struct sl_symbols loaded = { 0 };
	int err = names ? sl_filter_names(&filter->filter, names) : -ENOMEM;

	for (uint32_t i = 0; i < filter->filter.n_slots && !err; i++) {
		names[i].name[SL_NAME_BYTES - 1] = '\0';
		if (names[i].name[0])
			err = sl_symbols_add(&loaded, names[i].name, i);
	}
	if (!err)
		*interface = find_renamed(running, &loaded, config);
	sl_symbols_fini(&loaded);
	free(names);
	return err;
}

/* The text has the names that interfaces had; they may have others now. */
static int follow_names(const struct sl_running *running,
			struct sl_config *config, struct sl_error *error)
{
	for (size_t i = 0; i < running->n_filters; i++) {
		const struct sl_running_filter *f = &running->filters[i];
		struct sl_interface *interface = NULL;
		int err = 0;

		if (!sl_running_names(config, f))
			err = find_interface(running, f, config, &interface);
		if (interface)
			err = sl_config_rename(config, interface, f->interface);
		if (err)
			return sl_error_set(error, err,
					    "%s: read rule names: %s",
					    f->interface, strerror(-err));
	}
	return 0;
}

int sl_running_parse(const struct sl_running *running,
		     struct sl_config **config, struct sl_error *error)
{
	const char *on = running->filters[0].interface;
	struct sl_diags diags = { 0 };
	struct sl_config *parsed = NULL;
	int err = sl_config_parse(running->text, strlen(running->text), on,
				  &diags, &parsed);

	if (err == -EINVAL)
		sl_error_set(error, err,
			     "%s: this version cannot read the configuration "
			     "that runs (%s); `sluice down %s` first",
			     on, diags.n_items ? diags.items[0].message : "?",
			     on);
	else if (err)
		no_memory(error);
	else
		err = set_deadlines(running, parsed, error);
	if (!err)
		err = follow_names(running, parsed, error);
	sl_diags_fini(&diags);
	if (err) {
		sl_config_free(parsed);
		return err;
	}
	*config = parsed;
	return 0;
}
