// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The steps of one change, and what a crash after each leaves behind:
 *
 *   read             nothing
 *   journal WRITING  an entry; the setting holds `before`: undo changes nothing
 *   write            an entry; the setting holds `ours`, or what the driver made
 *                    of it: undo brings `old` back
 *   read back        likewise
 *   journal SET      the same, with what was read back as `ours`
 *
 * A driver that closes its rings for a change may forget what was set of its
 * queues (interrupts and NAPIs are made anew). Those values are journalled
 * before it, as KEPT, and put back last, after the rings are as they were.
 */
#include "tune.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "tune_plan.h"

struct change {
	struct sl_tune_journal *journal;
	struct sl_tune_device *device;
	struct sl_tune_item *item;
	const char *owner;
	bool unconfirmed;
	struct sl_error *error;
};

static int no_memory(struct sl_error *error)
{
	return sl_error_set(error, -ENOMEM, "tuning: out of memory");
}

/* Are there KEPT entries of the device? */
static bool has_kept(const struct change *c)
{
	for (size_t i = 0; i < c->journal->n; i++)
		if (c->journal->entries[i].state == SL_TUNE_KEPT &&
		    c->journal->entries[i].ifindex == c->device->ifindex)
			return true;
	return false;
}

/* 0, or -errno with a message; *there: it could be read. */
static int keep(struct change *c, const struct sl_tune_key *key, bool *there)
{
	struct sl_tune_entry *entry;
	char *now;
	int err = sl_tune_read(c->device, key, &now);

	*there = !err;
	if (err)
		return err == -ENOMEM ? no_memory(c->error) : 0;
	entry = sl_tune_journal_add(c->journal, c->device, key, SL_TUNE_KEPT,
				    now);
	free(now);
	if (!entry)
		return no_memory(c->error);
	strcpy(entry->owner, c->owner);
	entry->unconfirmed = c->unconfirmed;
	return 0;
}

/* Of each queue, or of what has no queue, for as long as there is one more. */
static int keep_units(struct change *c, enum sl_tune_setting setting,
		      enum sl_tune_unit unit)
{
	struct sl_tune_key key = { setting, unit, 0 };
	bool there = true;
	int err = 0;

	while (there && !err) {
		err = keep(c, &key, &there);
		key.queue++;
	}
	return err;
}

/* What they have, before the first change that may lose it. */
static int keep_queues(struct change *c)
{
	int err = 0;

	if (!sl_tune_kinds[c->item->key.setting].restarts || has_kept(c))
		return 0;
	for (int s = 0; s < SL_TUNE_SETTINGS && !err; s++)
		for (int u = SL_TUNE_RX; u <= SL_TUNE_OTHER && !err; u++)
			if (sl_tune_kinds[s].queues)
				err = keep_units(c, (enum sl_tune_setting)s,
						 (enum sl_tune_unit)u);
	return err;
}

/* What the change left of them: whoever sets another value later keeps it. */
static int look_at_kept(struct change *c)
{
	for (size_t i = 0; i < c->journal->n; i++) {
		struct sl_tune_entry *entry = &c->journal->entries[i];
		char *now;
		int err;

		if (entry->state != SL_TUNE_KEPT ||
		    entry->ifindex != c->device->ifindex)
			continue;
		err = sl_tune_read(c->device, &entry->key, &now);
		if (err == -ENOMEM)
			return no_memory(c->error);
		free(entry->ours);
		entry->ours = err ? NULL : now;
	}
	return 0;
}

static bool restarts(const struct sl_tune_entry *entry, int ifindex)
{
	return entry->state != SL_TUNE_KEPT && entry->ifindex == ifindex &&
	       sl_tune_kinds[entry->key.setting].restarts;
}

/* A change that was refused lost nothing, unless there was one before it. */
static void drop_kept(struct change *c)
{
	for (size_t i = 0; i < c->journal->n; i++)
		if (restarts(&c->journal->entries[i], c->device->ifindex))
			return;
	for (size_t i = c->journal->n; i-- > 0;)
		if (c->journal->entries[i].state == SL_TUNE_KEPT &&
		    c->journal->entries[i].ifindex == c->device->ifindex)
			sl_tune_journal_remove(c->journal,
					       &c->journal->entries[i]);
}

static int set_text(char **to, const char *text, struct sl_error *error)
{
	return sl_tune_text_set(to, text) ? no_memory(error) : 0;
}

/*
 * The entry that says what is about to be done. One of ours that somebody has
 * overwritten since brings back what that somebody had set.
 */
static int enter(struct change *c, struct sl_tune_entry **entered)
{
	struct sl_tune_item *item = c->item;
	struct sl_tune_entry *entry =
		sl_tune_journal_find(c->journal, c->device, &item->key);
	int err = 0;

	if (!entry)
		entry = sl_tune_journal_add(c->journal, c->device, &item->key,
					    SL_TUNE_WRITING, item->now);
	else if (entry->state == SL_TUNE_SET &&
		 strcmp(entry->ours, item->now) != 0)
		err = set_text(&entry->old, item->now, c->error);
	if (!entry)
		return no_memory(c->error);
	if (!err)
		err = set_text(&entry->before, item->now, c->error);
	if (!err)
		err = set_text(&entry->ours, item->wanted, c->error);
	if (!err)
		err = set_text(&item->old, entry->old, c->error);
	strcpy(entry->owner, c->owner);
	entry->state = SL_TUNE_WRITING;
	entry->unconfirmed |= c->unconfirmed;
	*entered = entry;
	return err ? err : sl_tune_journal_save(c->journal, c->error);
}

/* `now` stands there: an earlier value of ours, or the one that undo wants. */
static int settle(struct change *c, struct sl_tune_entry *entry,
		  const char *now)
{
	bool changed = strcmp(entry->old, now) != 0;
	int err = changed ? set_text(&entry->ours, now, c->error) : 0;

	if (err)
		return err;
	entry->state = SL_TUNE_SET;
	free(entry->before);
	entry->before = NULL;
	if (!changed)
		sl_tune_journal_remove(c->journal, entry);
	drop_kept(c);
	return sl_tune_journal_save(c->journal, c->error);
}

/* Refused: the row says why, in the kernel's words where it had some. */
static int end_refused(struct change *c, struct sl_tune_entry *entry, int err)
{
	const char *said = *c->device->said ? c->device->said : strerror(-err);
	struct sl_tune_item *item = c->item;
	int saved;

	if (err == -ENODEV || err == -ENOMEM)
		return sl_error_set(c->error, err, "%s: set %s to %s: %s",
				    item->device,
				    sl_tune_kinds[item->key.setting].name,
				    item->wanted, said);
	sl_tune_item_end(item,
			 err == -EOPNOTSUPP ? SL_TUNE_UNSUPPORTED :
					      SL_TUNE_REFUSED,
			 "%s", said);
	saved = settle(c, entry, item->now);
	if (saved || !item->given || err == -EOPNOTSUPP)
		return saved;
	return sl_error_set(c->error, -EINVAL, "%s: set %s to %s: %s",
			    item->device, sl_tune_kinds[item->key.setting].name,
			    item->wanted, said);
}

static int read_back(struct change *c, struct sl_tune_entry *entry)
{
	struct sl_tune_item *item = c->item;
	char *got;
	int err = sl_tune_read(c->device, &item->key, &got);

	if (err)
		return sl_error_set(c->error, err, "%s: read %s back: %s",
				    item->device,
				    sl_tune_kinds[item->key.setting].name,
				    strerror(-err));
	if (strcmp(got, item->now) == 0) {
		sl_tune_item_end(item, SL_TUNE_REFUSED,
				 "the driver took it, and kept %s", got);
		free(got);
		return settle(c, entry, item->now);
	}
	if (strcmp(got, item->wanted) == 0)
		sl_tune_item_end(item, SL_TUNE_DONE, NULL);
	else
		sl_tune_item_end(item, SL_TUNE_DONE, "the driver made %s of it",
				 got);
	free(item->now);
	item->now = got;
	if (sl_tune_kinds[item->key.setting].restarts)
		err = look_at_kept(c);
	return err ? err : settle(c, entry, got);
}

/* A forwarder's is taken over by a forwarder, and by us when it is gone. */
static bool is_held(const struct change *c, const struct sl_tune_entry *entry)
{
	size_t prefix = strlen(SL_TUNE_OWNER_FORWARDER);

	if (!entry || strcmp(entry->owner, c->owner) == 0)
		return false;
	if (strncmp(c->owner, SL_TUNE_OWNER_FORWARDER, prefix) == 0)
		return strcmp(entry->owner, SL_TUNE_OWNER_SELF) == 0;
	return sl_tune_owner_runs(entry->owner);
}

/* Nothing to write; an entry of another owner that may be taken over, is. */
static int end_same(struct change *c, struct sl_tune_entry *entry)
{
	if (!entry || strcmp(entry->owner, c->owner) == 0 || is_held(c, entry))
		return 0;
	strcpy(entry->owner, c->owner);
	return sl_tune_journal_save(c->journal, c->error);
}

static int change(struct change *c)
{
	struct sl_tune_item *item = c->item;
	struct sl_tune_entry *entry =
		sl_tune_journal_find(c->journal, c->device, &item->key);
	int err;

	if (item->outcome != SL_TUNE_CHANGE && item->outcome != SL_TUNE_SAME)
		return 0;
	if (item->outcome == SL_TUNE_SAME)
		return end_same(c, entry);
	if (is_held(c, entry)) {
		sl_tune_item_end(item, SL_TUNE_HELD, "set by %s", entry->owner);
		return 0;
	}
	err = keep_queues(c);
	if (!err)
		err = enter(c, &entry);
	if (err)
		return err;
	err = sl_tune_write(c->device, &item->key, item->wanted);
	return err ? end_refused(c, entry, err) : read_back(c, entry);
}

/* At its turn: what came before may have changed it, or brought its queue. */
static int look_again(struct change *c)
{
	struct sl_tune_list one = { c->item, 1 };
	const struct sl_tune_item *bad;
	int err;

	free(c->item->now);
	c->item->now = NULL;
	err = sl_tune_plan_look(c->device, &one, &bad);
	if (!err && c->item->outcome == SL_TUNE_LATER)
		sl_tune_item_end(c->item, SL_TUNE_UNSEEN,
				 "no such queue, or the interface is down");
	if (err)
		return sl_error_set(c->error, err, "%s: %s: %s",
				    c->item->device,
				    sl_tune_kinds[c->item->key.setting].name,
				    strerror(-err));
	return 0;
}

int sl_tune_change(struct sl_tune_journal *journal,
		   struct sl_tune_device *device, struct sl_tune_item *item,
		   const char *owner, struct sl_error *error)
{
	struct change c = { journal, device, item, owner, false, error };
	int err = look_again(&c);

	return err ? err : change(&c);
}

int sl_tune_apply(struct sl_tune_journal *journal,
		  struct sl_tune_device *device, struct sl_tune_list *plan,
		  struct sl_error *error)
{
	struct change c = { .journal = journal,
			    .device = device,
			    .owner = SL_TUNE_OWNER_SELF,
			    .unconfirmed = true,
			    .error = error };
	int err = 0;

	for (size_t i = 0; i < plan->n && !err; i++) {
		c.item = &plan->items[i];
		err = look_again(&c);
		if (!err)
			err = change(&c);
	}
	return err;
}
