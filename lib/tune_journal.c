// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "tune_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "array.h"
#include "clock.h"
#include "durable.h"
#include "error.h"
#include "lock.h"
#include "netns.h"
#include "tune_item.h"

#define LOCK_PATH SL_TUNE_DIRECTORY "/lock"
#define RETRY_NS 50000000

static const char *const states[] = {
	[SL_TUNE_WRITING] = "writing",
	[SL_TUNE_SET] = "set",
	[SL_TUNE_KEPT] = "kept",
};

static int make_directory(void)
{
	if (mkdir("/run/sluice", 0700) && errno != EEXIST)
		return -errno;
	if (mkdir(SL_TUNE_DIRECTORY, 0700) && errno != EEXIST)
		return -errno;
	return 0;
}

int sl_tune_lock(unsigned wait_ms, struct sl_lock *lock, struct sl_error *error)
{
	uint64_t end_ns = sl_clock_ns() + wait_ms * 1000000ull;
	const struct timespec retry = { .tv_nsec = RETRY_NS };
	int holder = 0, err = make_directory();

	if (!err)
		err = sl_lock_try(LOCK_PATH, lock, &holder);
	while (err == -EBUSY && sl_clock_ns() < end_ns) {
		nanosleep(&retry, NULL);
		err = sl_lock_try(LOCK_PATH, lock, &holder);
	}
	if (err == -EBUSY)
		return sl_error_set(error, err,
				    "tuning: another sluice (process %d) is at "
				    "it; try again when it is done",
				    holder);
	if (err)
		return sl_error_set(error, err, LOCK_PATH ": %s%s",
				    strerror(-err),
				    err == -EACCES ? "; run as root" : "");
	return 0;
}

static int copy_text(const json_t *object, const char *key, char *to,
		     size_t bytes)
{
	const char *text = json_string_value(json_object_get(object, key));

	if (!text || strlen(text) >= bytes)
		return -EINVAL;
	strcpy(to, text);
	return 0;
}

/* One that may be left out stays NULL. */
static int copy_value(const json_t *object, const char *key, char **to)
{
	const char *text = json_string_value(json_object_get(object, key));

	if (!text)
		return 0;
	*to = strdup(text);
	return *to ? 0 : -ENOMEM;
}

static int read_key(const json_t *object, struct sl_tune_entry *entry)
{
	const char *name =
		json_string_value(json_object_get(object, "setting"));
	const char *unit = json_string_value(json_object_get(object, "unit"));
	const char *state = json_string_value(json_object_get(object, "state"));

	if (!name || !unit || !state ||
	    !sl_tune_setting_find(name, &entry->key.setting) ||
	    !sl_tune_unit_parse(unit, &entry->key))
		return -EINVAL;
	for (int i = 0; i <= SL_TUNE_KEPT; i++)
		if (strcmp(state, states[i]) == 0) {
			entry->state = (enum sl_tune_state)i;
			return 0;
		}
	return -EINVAL;
}

static void entry_fini(struct sl_tune_entry *entry)
{
	free(entry->old);
	free(entry->before);
	free(entry->ours);
}

static int read_entry(const json_t *object, struct sl_tune_entry *entry)
{
	int err;

	*entry = (struct sl_tune_entry){
		.ifindex = (int)json_integer_value(
			json_object_get(object, "ifindex")),
		.unconfirmed =
			json_is_true(json_object_get(object, "unconfirmed")),
	};
	err = read_key(object, entry);
	if (!err)
		err = copy_text(object, "device", entry->device,
				sizeof(entry->device));
	if (!err)
		err = copy_text(object, "identity", entry->identity,
				sizeof(entry->identity));
	if (!err)
		err = copy_text(object, "owner", entry->owner,
				sizeof(entry->owner));
	if (!err)
		err = copy_value(object, "old", &entry->old);
	if (!err)
		err = copy_value(object, "before", &entry->before);
	if (!err)
		err = copy_value(object, "ours", &entry->ours);
	if (!err &&
	    (!entry->old || (entry->state == SL_TUNE_SET && !entry->ours) ||
	     (entry->state == SL_TUNE_WRITING &&
	      (!entry->ours || !entry->before))))
		err = -EINVAL;
	if (err)
		entry_fini(entry);
	return err;
}

static struct sl_tune_entry *add_room(struct sl_tune_journal *journal)
{
	struct sl_tune_entry *more = sl_array_room(journal->entries, journal->n,
						   sizeof(*journal->entries));

	if (!more)
		return NULL;
	journal->entries = more;
	return &more[journal->n];
}

static int read_journal(const json_t *root, struct sl_tune_journal *journal)
{
	const json_t *list = json_object_get(root, "entries");
	struct sl_netns netns;
	const char *then;

	sl_netns_read(&netns);
	then = json_string_value(json_object_get(root, "boot"));
	if (!then || !json_is_array(list))
		return -EINVAL;
	if (strcmp(then, netns.boot) != 0 ||
	    (uint64_t)json_integer_value(json_object_get(root, "cookie")) !=
		    netns.cookie) {
		journal->stale = true;
		return 0;
	}
	journal->confirm_ns = (uint64_t)json_integer_value(
		json_object_get(root, "confirm_ns"));
	journal->guard =
		(int)json_integer_value(json_object_get(root, "guard"));
	for (size_t i = 0; i < json_array_size(list); i++) {
		struct sl_tune_entry *entry = add_room(journal);
		int err;

		if (!entry)
			return -ENOMEM;
		err = read_entry(json_array_get(list, i), entry);
		if (err)
			return err;
		journal->n++;
	}
	return 0;
}

int sl_tune_journal_load(struct sl_tune_journal *journal,
			 struct sl_error *error)
{
	struct sl_tune_journal new = { 0 };
	struct sl_netns netns;
	json_error_t where;
	json_t *root;
	FILE *in;
	int err;

	sl_netns_read(&netns);
	snprintf(new.path, sizeof(new.path),
		 SL_TUNE_DIRECTORY "/%" PRIu64 ".json", netns.inode);
	in = fopen(new.path, "re");
	if (!in && errno != ENOENT) {
		err = -errno;
		return sl_error_set(error, err, "%s: %s%s", new.path,
				    strerror(-err),
				    err == -EACCES ? "; run as root" : "");
	}
	if (!in) {
		*journal = new;
		return 0;
	}
	root = json_loadf(in, 0, &where);
	fclose(in);
	err = root ? read_journal(root, &new) : -EINVAL;
	json_decref(root);
	if (err) {
		sl_tune_journal_fini(&new);
		return sl_error_set(error, err,
				    "%s: %s; it is left as it is: read it, "
				    "put back by hand what it says, remove it",
				    new.path,
				    err == -EINVAL ? "not a journal of tuning" :
						     strerror(-err));
	}
	*journal = new;
	return 0;
}

static json_t *text_or_null(const char *text)
{
	return text ? json_string(text) : json_null();
}

static json_t *entry_json(const struct sl_tune_entry *entry)
{
	char unit[SL_TUNE_UNIT_TEXT];

	sl_tune_unit_format(&entry->key, unit);
	return json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, "
			 "s:b}",
			 "device", entry->device, "ifindex", entry->ifindex,
			 "identity", entry->identity, "setting",
			 sl_tune_kinds[entry->key.setting].name, "unit", unit,
			 "owner", entry->owner, "state", states[entry->state],
			 "old", text_or_null(entry->old), "before",
			 text_or_null(entry->before), "ours",
			 text_or_null(entry->ours), "unconfirmed",
			 entry->unconfirmed);
}

static json_t *journal_json(const struct sl_tune_journal *journal)
{
	json_t *list = json_array();
	struct sl_netns netns;

	sl_netns_read(&netns);
	for (size_t i = 0; list && i < journal->n; i++)
		if (json_array_append_new(list,
					  entry_json(&journal->entries[i]))) {
			json_decref(list);
			return NULL;
		}
	return json_pack("{s:s, s:I, s:I, s:i, s:o}", "boot", netns.boot,
			 "cookie", (json_int_t)netns.cookie, "confirm_ns",
			 (json_int_t)journal->confirm_ns, "guard",
			 journal->guard, "entries", list);
}

static int replace(const struct sl_tune_journal *journal)
{
	int dir = open(SL_TUNE_DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = dir < 0 ? -errno : 0;
	json_t *root = journal_json(journal);
	char *text = root ? json_dumps(root, JSON_INDENT(1)) : NULL;

	if (!err)
		err = text ? sl_durable_write(dir,
					      strrchr(journal->path, '/') + 1,
					      text, strlen(text)) :
			     -ENOMEM;
	free(text);
	json_decref(root);
	if (dir >= 0)
		close(dir);
	return err;
}

int sl_tune_journal_save(const struct sl_tune_journal *journal,
			 struct sl_error *error)
{
	char next[sizeof(journal->path) + sizeof(SL_DURABLE_NEW)];
	int err = 0;

	snprintf(next, sizeof(next), "%s" SL_DURABLE_NEW, journal->path);
	if (journal->n)
		err = replace(journal);
	else if (unlink(journal->path) && errno != ENOENT)
		err = -errno;
	/* One that a crash has left is of no use either. */
	if (!journal->n)
		unlink(next);
	return err ? sl_error_set(error, err, "%s: write the journal: %s",
				  journal->path, strerror(-err)) :
		     0;
}

int sl_tune_journal_confirm(struct sl_tune_journal *journal,
			    struct sl_error *error)
{
	journal->confirm_ns = 0;
	journal->guard = 0;
	for (size_t i = 0; i < journal->n; i++)
		journal->entries[i].unconfirmed = false;
	return sl_tune_journal_save(journal, error);
}

void sl_tune_journal_fini(struct sl_tune_journal *journal)
{
	for (size_t i = 0; i < journal->n; i++)
		entry_fini(&journal->entries[i]);
	free(journal->entries);
	journal->entries = NULL;
	journal->n = 0;
}

bool sl_tune_owner_runs(const char *owner)
{
	size_t prefix = strlen(SL_TUNE_OWNER_FORWARDER);
	char path[32];

	if (strncmp(owner, SL_TUNE_OWNER_FORWARDER, prefix) != 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%.10s", owner + prefix);
	return access(path, F_OK) == 0;
}

struct sl_tune_entry *
sl_tune_journal_find(const struct sl_tune_journal *journal,
		     const struct sl_tune_device *device,
		     const struct sl_tune_key *key)
{
	for (size_t i = 0; i < journal->n; i++) {
		struct sl_tune_entry *entry = &journal->entries[i];

		if (entry->state != SL_TUNE_KEPT &&
		    entry->ifindex == device->ifindex &&
		    strcmp(entry->identity, device->identity) == 0 &&
		    sl_tune_key_equal(&entry->key, key))
			return entry;
	}
	return NULL;
}

struct sl_tune_entry *sl_tune_journal_add(struct sl_tune_journal *journal,
					  const struct sl_tune_device *device,
					  const struct sl_tune_key *key,
					  enum sl_tune_state state,
					  const char *old)
{
	struct sl_tune_entry *entry = add_room(journal);

	if (!entry)
		return NULL;
	if (state == SL_TUNE_KEPT) {
		memmove(journal->entries + 1, journal->entries,
			journal->n * sizeof(*entry));
		entry = journal->entries;
	}
	journal->n++;
	*entry = (struct sl_tune_entry){ .ifindex = device->ifindex,
					 .key = *key,
					 .state = state };
	memcpy(entry->device, device->name, sizeof(entry->device));
	memcpy(entry->identity, device->identity, sizeof(entry->identity));
	if (!sl_tune_text_set(&entry->old, old))
		return entry;
	sl_tune_journal_remove(journal, entry);
	return NULL;
}

void sl_tune_journal_remove(struct sl_tune_journal *journal,
			    struct sl_tune_entry *entry)
{
	size_t at = (size_t)(entry - journal->entries);

	entry_fini(entry);
	journal->n--;
	memmove(entry, entry + 1, (journal->n - at) * sizeof(*entry));
}
