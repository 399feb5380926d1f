// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* Single settings, for a process that runs. */
#include "tune.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "lock.h"

#define LOCK_WAIT_MS 5000
/* For what is asked again: a forwarder has links to watch meanwhile. */
#define HOLD_WAIT_MS 100

static int end_of(const struct sl_tune_item *item, struct sl_error *error)
{
	int err = 0;

	switch (item->outcome) {
	case SL_TUNE_SAME:
	case SL_TUNE_DONE:
		return 0;
	case SL_TUNE_HELD:
		err = -EBUSY;
		break;
	case SL_TUNE_REFUSED:
		err = -EINVAL;
		break;
	case SL_TUNE_UNSEEN:
		err = -ENOENT;
		break;
	default:
		err = -EOPNOTSUPP;
	}
	return sl_error_set(error, err, "%s: set %s to %s: %s", item->device,
			    sl_tune_kinds[item->key.setting].name, item->wanted,
			    item->why ? item->why : strerror(-err));
}

/* An entry for it is this owner's, or may become so: then also if it drifted. */
static int hold(struct sl_tune_device *device, struct sl_tune_item *item,
		const char *owner, struct sl_error *error)
{
	struct sl_tune_journal journal;
	int err = sl_tune_journal_load(&journal, error);

	if (err)
		return err;
	err = sl_tune_change(&journal, device, item, owner, error);
	sl_tune_journal_fini(&journal);
	return err ? err : end_of(item, error);
}

static int lock_soon(struct sl_lock *lock, struct sl_error *error)
{
	int err = sl_tune_lock(HOLD_WAIT_MS, lock, error);

	return err == -EBUSY ? -EAGAIN : err;
}

int sl_tune_hold(const char *name, const struct sl_tune_key *key,
		 uint64_t value, const char *owner, uint64_t *now,
		 struct sl_error *error)
{
	struct sl_tune_list list = { 0 };
	struct sl_tune_device device;
	struct sl_tune_item *item;
	struct sl_lock lock;
	int err = sl_tune_device_open(name, &device);

	if (err)
		return sl_error_set(error, err, "%s: no such interface", name);
	item = sl_tune_list_add(&list, name, key);
	if (!item || sl_tune_number(value, &item->wanted)) {
		err = sl_error_set(error, -ENOMEM, "%s: out of memory", name);
		goto out;
	}
	err = lock_soon(&lock, error);
	if (err)
		goto out;
	err = hold(&device, item, owner, error);
	sl_lock_release(&lock);
	if (item->now)
		*now = strtoull(item->now, NULL, 10);
out:
	sl_tune_list_fini(&list);
	sl_tune_device_close(&device);
	return err;
}

/* Under the lock. */
static int undo(const struct sl_tune_which *which, struct sl_error *error)
{
	struct sl_tune_journal journal;
	struct sl_tune_list list = { 0 };
	int err = sl_tune_journal_load(&journal, error);

	if (err)
		return err;
	err = sl_tune_undo(&journal, which, &list, error);
	sl_tune_list_fini(&list);
	sl_tune_journal_fini(&journal);
	return err;
}

int sl_tune_release(const char *owner, struct sl_error *error)
{
	const struct sl_tune_which which = { .owner = owner };
	struct sl_lock lock;
	int err = sl_tune_lock(LOCK_WAIT_MS, &lock, error);

	if (err)
		return err;
	err = undo(&which, error);
	sl_lock_release(&lock);
	return err;
}

int sl_tune_release_dead(const char *owner, struct sl_error *error)
{
	const struct sl_tune_which dead = { .dead = true },
				   own = { .owner = owner };
	struct sl_tune_journal journal;
	struct sl_lock lock;
	int err = sl_tune_journal_load(&journal, error);
	bool any = !err && journal.n;

	if (err)
		return err;
	sl_tune_journal_fini(&journal);
	/* Nearly always: nothing to lock, and no file made for it. */
	if (!any)
		return 0;
	err = lock_soon(&lock, error);
	if (err)
		return err;
	err = undo(&dead, error);
	if (!err && owner)
		err = undo(&own, error);
	sl_lock_release(&lock);
	return err;
}
