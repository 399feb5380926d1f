// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Backwards through the journal. Each step is the old value written, read back,
 * and the entry taken out: a crash in between leaves an entry whose setting
 * holds `old` already, which the next undo only takes out. For the same reason a
 * journal that cannot be written (a full disk) does not stop it: what is back is
 * back, and the end says that the journal is behind.
 *
 * A device is found by its index and identity, so under another name, too. One
 * that was unplugged took its settings with it: its entries go. One that is down
 * may hide its queues, and a /sys of another network namespace (nsenter --net)
 * what is set there: those entries stay, until undo runs where they are seen.
 */
#include "tune.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "sysfs.h"

#define GONE_TEXT "unplugged, or in another network namespace"

struct walk {
	struct sl_tune_journal *journal;
	struct sl_tune_list *list;
	struct sl_error *error;
	struct sl_tune_device device; /* the last one asked for */
	int ifindex;		      /* its index; 0: none was yet */
	int found;		      /* 0, or -errno of finding it */
	bool checked;		      /* what it KEPT, for changes since */
	int unsaved;		      /* 0, or -errno of the journal */
};

static void device_end(struct walk *walk)
{
	if (walk->ifindex && !walk->found)
		sl_tune_device_close(&walk->device);
	walk->ifindex = 0;
}

static int device_open(struct walk *walk, const struct sl_tune_entry *entry)
{
	if (walk->ifindex == entry->ifindex)
		return walk->found;
	device_end(walk);
	walk->found = sl_tune_device_find(entry->ifindex, entry->identity,
					  &walk->device);
	walk->ifindex = entry->ifindex;
	walk->checked = false;
	return walk->found;
}

/*
 * While it was being written, the driver may have made another value of it than
 * we asked for, where it does that at all.
 */
static bool is_ours(const struct sl_tune_entry *entry, const char *now)
{
	if (strcmp(now, entry->ours) == 0)
		return true;
	return entry->state == SL_TUNE_WRITING &&
	       (strcmp(now, entry->before) == 0 ||
		sl_tune_kinds[entry->key.setting].rounds);
}

/*
 * Before rings are closed again: a KEPT value that is neither what it was nor
 * what we saw after the change is somebody's, and stays.
 */
static void check_kept(struct walk *walk)
{
	struct sl_tune_journal *journal = walk->journal;

	for (size_t i = journal->n; i-- > 0 && !walk->checked;) {
		struct sl_tune_entry *entry = &journal->entries[i];
		char *now;

		if (entry->state != SL_TUNE_KEPT ||
		    entry->ifindex != walk->ifindex || !entry->ours ||
		    sl_tune_read(&walk->device, &entry->key, &now))
			continue;
		if (strcmp(now, entry->old) != 0 &&
		    strcmp(now, entry->ours) != 0)
			sl_tune_journal_remove(journal, entry);
		free(now);
	}
	walk->checked = true;
}

/* The rings are not opened anew by us: nothing was lost. */
static void drop_kept(struct walk *walk)
{
	struct sl_tune_journal *journal = walk->journal;

	for (size_t i = journal->n; i-- > 0;)
		if (journal->entries[i].state == SL_TUNE_KEPT &&
		    journal->entries[i].ifindex == walk->ifindex)
			sl_tune_journal_remove(journal, &journal->entries[i]);
}

/* Entries of the device that close its rings. */
static size_t count_restarts(const struct walk *walk)
{
	size_t n = 0;

	for (size_t i = 0; i < walk->journal->n; i++) {
		const struct sl_tune_entry *entry = &walk->journal->entries[i];

		n += entry->state != SL_TUNE_KEPT &&
		     entry->ifindex == walk->ifindex &&
		     sl_tune_kinds[entry->key.setting].restarts;
	}
	return n;
}

static struct sl_tune_item *add_item(struct walk *walk,
				     const struct sl_tune_entry *entry)
{
	struct sl_tune_item *item = sl_tune_list_add(
		walk->list, walk->found ? entry->device : walk->device.name,
		&entry->key);

	if (!item)
		return NULL;
	item->old = strdup(entry->old);
	if (entry->ours)
		item->wanted = strdup(entry->ours);
	if (!item->old || (entry->ours && !item->wanted))
		return NULL;
	if (strcmp(item->device, entry->device) != 0)
		sl_tune_item_end(item, item->outcome, "it was %s then",
				 entry->device);
	return item;
}

/* What a failure leaves in the file is undone already, and found so. */
static void save(struct walk *walk)
{
	int err = sl_tune_journal_save(walk->journal, walk->error);

	if (err)
		walk->unsaved = err;
}

/* On its way back a table is the default one (lib/tune_rss.c), and still ours. */
static void announce(struct walk *walk, struct sl_tune_entry *entry,
		     const struct sl_tune_item *item)
{
	if (entry->key.setting != SL_TUNE_RSS ||
	    sl_tune_text_set(&entry->before, item->now))
		return;
	entry->state = SL_TUNE_WRITING;
	save(walk);
}

/* Written and read back; false: it stays in the journal. */
static bool put_back(struct walk *walk, struct sl_tune_entry *entry,
		     struct sl_tune_item *item)
{
	struct sl_tune_device *device = &walk->device;
	char *got = NULL;
	int err;

	announce(walk, entry, item);
	err = sl_tune_write(device, &entry->key, entry->old);
	if (err) {
		sl_tune_item_end(item, SL_TUNE_LEFT, "%s",
				 *device->said ? device->said : strerror(-err));
		return false;
	}
	if (sl_tune_read(device, &entry->key, &got) ||
	    strcmp(got, entry->old) != 0) {
		sl_tune_item_end(item, SL_TUNE_LEFT, "the driver made %s of it",
				 got ? got : "nothing readable");
		if (got) {
			free(entry->ours);
			entry->ours = got;
		}
		return false;
	}
	free(item->now);
	item->now = got;
	sl_tune_item_end(item, SL_TUNE_UNDONE, NULL);
	return true;
}

/* One that we have set, or were about to; false: it stays in the journal. */
static bool undo_set(struct walk *walk, struct sl_tune_entry *entry,
		     struct sl_tune_item *item)
{
	bool restarts = sl_tune_kinds[entry->key.setting].restarts;

	if (strcmp(item->now, entry->old) == 0) {
		sl_tune_item_end(item, SL_TUNE_UNDONE, "it was back already");
		return true;
	}
	if (!is_ours(entry, item->now)) {
		sl_tune_item_end(item, SL_TUNE_CONFLICT,
				 "somebody has set it since: left alone");
		if (restarts && count_restarts(walk) == 1)
			drop_kept(walk);
		return true;
	}
	return put_back(walk, entry, item);
}

static bool undo_kept(struct walk *walk, struct sl_tune_entry *entry,
		      struct sl_tune_item *item)
{
	if (count_restarts(walk)) {
		sl_tune_item_end(item, SL_TUNE_LEFT,
				 "after the rings are as they were");
		return false;
	}
	if (strcmp(item->now, entry->old) != 0)
		return put_back(walk, entry, item);
	sl_tune_item_end(item, SL_TUNE_SAME, NULL);
	return true;
}

/*
 * It cannot be read. Whether the entry is done with: the queues of an interface
 * that is down come again, those that somebody took away do not; and what is
 * only hidden from us is there.
 */
static bool end_unread(struct walk *walk, struct sl_tune_item *item, int err)
{
	const char *name = walk->device.name;
	char flags[16];

	if (err == -ENODEV)
		sl_tune_item_end(item, SL_TUNE_GONE, GONE_TEXT);
	else if (!walk->device.sysfs ||
		 !sl_sysfs_net_line(name, "flags", flags, sizeof(flags)))
		sl_tune_item_end(item, SL_TUNE_LEFT,
				 "/sys here is of another network namespace: "
				 "undo it by `ip netns exec`");
	else if (!(strtoul(flags, NULL, 16) & IFF_UP))
		sl_tune_item_end(
			item, SL_TUNE_LEFT,
			"the interface is down: undo it when it is up");
	else if (err == -ENOENT || err == -EOPNOTSUPP)
		sl_tune_item_end(item, SL_TUNE_GONE, "there is none now: %s",
				 strerror(-err));
	else
		sl_tune_item_end(item, SL_TUNE_LEFT, "read it: %s",
				 strerror(-err));
	return item->outcome == SL_TUNE_GONE;
}

/*
 * Of the entry at *at, which moves when those before it go; 0, or -errno that
 * ends the walk.
 */
static int undo_entry(struct walk *walk, size_t *at)
{
	struct sl_tune_journal *journal = walk->journal;
	struct sl_tune_entry *entry = &journal->entries[*at];
	bool kept = entry->state == SL_TUNE_KEPT, gone;
	struct sl_tune_item *item;
	size_t n = journal->n;
	int err = device_open(walk, entry);

	item = add_item(walk, entry);
	if (!item)
		return sl_error_set(walk->error, -ENOMEM,
				    "undo: out of memory");
	if (!err && !kept && sl_tune_kinds[entry->key.setting].restarts)
		check_kept(walk);
	entry = &journal->entries[*at - (n - journal->n)];
	if (!err)
		err = sl_tune_read(&walk->device, &entry->key, &item->now);
	if (err == -ENOMEM)
		return sl_error_set(walk->error, err, "undo: out of memory");
	if (err)
		gone = end_unread(walk, item, err);
	else
		gone = kept ? undo_kept(walk, entry, item) :
			      undo_set(walk, entry, item);
	*at -= n - journal->n;
	/* What the driver did not lose after all is not worth a word. */
	if (kept && gone && item->outcome != SL_TUNE_UNDONE)
		sl_tune_list_pop(walk->list);
	if (gone)
		sl_tune_journal_remove(journal, &journal->entries[*at]);
	save(walk);
	return 0;
}

static bool is_chosen(struct walk *walk, const struct sl_tune_which *which,
		      const struct sl_tune_entry *entry)
{
	if ((which->owner && strcmp(which->owner, entry->owner) != 0) ||
	    (which->idle && sl_tune_owner_runs(entry->owner)) ||
	    (which->dead && (strcmp(entry->owner, SL_TUNE_OWNER_SELF) == 0 ||
			     sl_tune_owner_runs(entry->owner))) ||
	    (which->unconfirmed && !entry->unconfirmed))
		return false;
	if (!which->device)
		return true;
	if (!device_open(walk, entry))
		return strcmp(which->device, walk->device.name) == 0;
	return strcmp(which->device, entry->device) == 0;
}

int sl_tune_undo(struct sl_tune_journal *journal,
		 const struct sl_tune_which *which, struct sl_tune_list *list,
		 struct sl_error *error)
{
	struct walk walk = { .journal = journal, .list = list, .error = error };
	size_t at = journal->n;
	int err = 0;

	while (at-- > 0 && !err)
		if (is_chosen(&walk, which, &journal->entries[at]))
			err = undo_entry(&walk, &at);
	device_end(&walk);
	return err ? err : walk.unsaved;
}

static int tell(struct walk *walk, const struct sl_tune_entry *entry)
{
	struct sl_tune_item *item;
	int err = device_open(walk, entry);

	item = add_item(walk, entry);
	if (!item)
		return -ENOMEM;
	if (!err)
		err = sl_tune_read(&walk->device, &entry->key, &item->now);
	if (err == -ENOMEM)
		return err;
	if (err == -ENODEV)
		sl_tune_item_end(item, SL_TUNE_GONE, GONE_TEXT);
	else if (err)
		sl_tune_item_end(item, SL_TUNE_UNSEEN,
				 "%s: is the interface down?", strerror(-err));
	else if (strcmp(item->now, entry->ours) == 0)
		sl_tune_item_end(item, SL_TUNE_HOLDS,
				 entry->state == SL_TUNE_SET ?
					 NULL :
					 "a sluice died while it set this");
	else
		sl_tune_item_end(item, SL_TUNE_DRIFTED,
				 strcmp(item->now, entry->old) == 0 ?
					 "it is what it was: was the link "
					 "down, or the tuning interrupted?" :
					 "somebody has set it since");
	if (strcmp(entry->owner, SL_TUNE_OWNER_SELF) != 0)
		sl_tune_item_end(item, item->outcome, "set by %s",
				 entry->owner);
	return 0;
}

int sl_tune_status(const struct sl_tune_journal *journal,
		   const struct sl_tune_which *which, struct sl_tune_list *list)
{
	struct walk walk = { .list = list };
	int err = 0;

	for (size_t i = 0; i < journal->n && !err; i++)
		if (journal->entries[i].state != SL_TUNE_KEPT &&
		    is_chosen(&walk, which, &journal->entries[i]))
			err = tell(&walk, &journal->entries[i]);
	device_end(&walk);
	return err;
}
