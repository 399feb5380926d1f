// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "extend.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "apply.h"
#include "array.h"
#include "audit.h"
#include "config.h"
#include "error.h"
#include "extension.h"
#include "lock.h"
#include "running.h"

static int no_memory(struct sl_error *error)
{
	return sl_error_set(error, -ENOMEM, "out of memory");
}

static const struct sl_extension *statement(const struct sl_config *config,
					    bool after, uint32_t slot)
{
	for (size_t i = 0; i < config->n_extensions; i++)
		if (config->extensions[i].after == after &&
		    config->extensions[i].slot == slot)
			return &config->extensions[i];
	return NULL;
}

/* The interfaces of the configuration that are not to change. */
static bool *others(const struct sl_running *running,
		    const struct sl_config *config, const char *interface,
		    size_t *n)
{
	bool *skip = calloc(config->n_interfaces + 1, sizeof(*skip));
	unsigned wanted = interface ? if_nametoindex(interface) : 0;

	*n = 0;
	for (size_t i = 0; i < config->n_interfaces && skip; i++) {
		const char *name = config->interfaces[i].name;

		skip[i] = !sl_running_on(running, name) ||
			  (interface && if_nametoindex(name) != wanted);
		*n += !skip[i];
	}
	return skip;
}

/* Appends to *applied what it came to. */
static int change_running(const struct sl_running *running,
			  const char *interface,
			  const struct sl_extension_change *change,
			  struct sl_applied **applied, size_t *n_applied,
			  struct sl_error *error)
{
	struct sl_applied *grown;
	struct sl_config *config;
	bool *skip = NULL;
	size_t n;
	int err = sl_running_parse(running, &config, error);

	if (err)
		return err;
	if (statement(config, change->after, change->slot)) {
		err = sl_error_set(error, -EINVAL,
				   "%s: extension %s %u: it is the file's; "
				   "edit the file and apply it",
				   running->filters[0].interface,
				   change->after ? "after" : "before",
				   change->slot);
		goto out;
	}
	skip = others(running, config, interface, &n);
	grown = realloc(*applied, (*n_applied + n + 1) * sizeof(**applied));
	if (grown)
		*applied = grown;
	if (!skip || !grown)
		err = no_memory(error);
	else
		err = sl_apply_rules(config, skip, change,
				     *applied + *n_applied, error);
	*n_applied += err ? 0 : n;
out:
	free(skip);
	sl_config_free(config);
	return err;
}

static int change_all(const struct sl_runnings *runnings, const char *interface,
		      const struct sl_extension_change *change,
		      struct sl_applied **applied, size_t *n_applied,
		      struct sl_error *error)
{
	int err = 0;

	for (size_t i = 0; i < runnings->n_items && !err; i++)
		if (!interface || sl_running_on(&runnings->items[i], interface))
			err = change_running(&runnings->items[i], interface,
					     change, applied, n_applied, error);
	if (!err && !*n_applied)
		err = sl_error_set(error, -ENOENT,
				   "%s: no configuration runs %s; `sluice "
				   "apply FILE` makes one run",
				   interface ? interface : "extensions",
				   interface ? "on it" :
					       "in this network namespace");
	return err;
}

int sl_extend(const char *interface, const struct sl_extension_change *change,
	      struct sl_applied **applied, size_t *n_applied,
	      struct sl_error *error)
{
	struct sl_runnings runnings;
	struct sl_lock lock;
	int err = sl_lock_take(&lock, error);

	*applied = NULL;
	*n_applied = 0;
	if (err)
		return err;
	err = sl_runnings_open(&runnings, error);
	if (!err) {
		err = change_all(&runnings, interface, change, applied,
				 n_applied, error);
		sl_runnings_close(&runnings);
	}
	if (!err)
		sl_audit_applied(change->path ? "ext load" : "ext unload",
				 *applied, *n_applied);
	sl_lock_release(&lock);
	if (err) {
		free(*applied);
		*applied = NULL;
		*n_applied = 0;
	}
	return err;
}

struct list {
	struct sl_extend_entry *entries;
	size_t n;
};

static int list_slot(struct list *list, const struct sl_running_filter *f,
		     const struct sl_config *config, bool after, uint32_t slot,
		     int prog_fd)
{
	struct bpf_prog_info info = { 0 };
	uint32_t length = sizeof(info);
	struct sl_extend_entry *entry =
		sl_array_room(list->entries, list->n, sizeof(*entry));

	if (!entry)
		return -ENOMEM;
	list->entries = entry;
	if (bpf_obj_get_info_by_fd(prog_fd, &info, &length) < 0)
		return -errno;
	entry += list->n++;
	*entry = (struct sl_extend_entry){
		.after = after,
		.slot = slot,
		.prog_id = info.id,
		.from_file = statement(config, after, slot),
	};
	memcpy(entry->interface, f->interface, sizeof(entry->interface));
	memcpy(entry->name, info.name, sizeof(entry->name) - 1);
	return 0;
}

static int list_filter(struct list *list, const struct sl_running_filter *f,
		       const struct sl_config *config)
{
	struct sl_chain chain;
	int err;

	if (!(f->filter.gen.flags & SL_GEN_EXT))
		return 0;
	err = sl_chain_read(f->filter.map_fd[SL_MAP_EXT], &chain);
	for (uint32_t i = 0; i < 2 * SL_EXT_SLOTS && !err; i++) {
		bool after = i >= SL_EXT_SLOTS;
		uint32_t slot = i % SL_EXT_SLOTS;
		int fd = *sl_chain_slot(&chain, after, slot);

		if (fd >= 0)
			err = list_slot(list, f, config, after, slot, fd);
	}
	sl_chain_fini(&chain);
	return err;
}

static int list_running(struct list *list, const struct sl_running *running,
			const char *interface, struct sl_error *error)
{
	int wanted = interface ? (int)if_nametoindex(interface) : 0;
	struct sl_config *config;
	int err = sl_running_parse(running, &config, error);

	if (err)
		return err;
	for (size_t i = 0; i < running->n_filters && !err; i++) {
		const struct sl_running_filter *f = &running->filters[i];

		if (interface && f->ifindex != wanted)
			continue;
		err = list_filter(list, f, config);
		if (err)
			sl_error_set(error, err, "%s: read its extensions: %s",
				     f->interface, strerror(-err));
	}
	sl_config_free(config);
	return err;
}

int sl_extend_list(const char *interface, struct sl_extend_entry **entries,
		   size_t *n_entries, struct sl_error *error)
{
	struct sl_runnings runnings;
	struct list list = { 0 };
	bool found = !interface;
	int err = sl_runnings_open(&runnings, error);

	if (err)
		return err;
	for (size_t i = 0; i < runnings.n_items && !err; i++) {
		const struct sl_running *running = &runnings.items[i];

		if (interface && !sl_running_on(running, interface))
			continue;
		found = true;
		err = list_running(&list, running, interface, error);
	}
	sl_runnings_close(&runnings);
	if (!err && !found)
		err = sl_error_set(error, -ENOENT,
				   "%s: no configuration runs on it; `sluice "
				   "apply FILE` makes one run",
				   interface);
	if (err) {
		free(list.entries);
		return err;
	}
	*entries = list.entries;
	*n_entries = list.n;
	return 0;
}
