/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Setting a card's interrupts, queues and polling, so that it can be undone
 * exactly: each change is journalled first (lib/tune_journal.h), then made, then
 * read back. Undo goes backwards, and only where our value is still there.
 *
 * A setting has one owner. "tune" is `sluice tune`; a forwarder that runs is
 * "forwarder PID", and takes over what another forwarder has left.
 *
 * Callers hold the lock of sl_tune_lock(), unless said. Not thread-safe.
 */
#ifndef SLUICE_TUNE_H
#define SLUICE_TUNE_H

#include "tune_item.h"
#include "tune_journal.h"

struct sl_error;

/*
 * Sets what the rows of a plan want, and gives each its outcome. A value that
 * this kernel or driver has not, or does not take, is no failure: the row says
 * so. Entries are unconfirmed until sl_tune_journal_confirm(): the caller undoes
 * those on a failure. 0; or -errno with a message: -ENODEV when the card goes,
 * -EINVAL when the kernel does not take a value that the operator gave, or the
 * journal cannot be written.
 */
int sl_tune_apply(struct sl_tune_journal *journal,
		  struct sl_tune_device *device, struct sl_tune_list *plan,
		  struct sl_error *error);

/* The same for one row and another owner. */
int sl_tune_change(struct sl_tune_journal *journal,
		   struct sl_tune_device *device, struct sl_tune_item *item,
		   const char *owner, struct sl_error *error);

struct sl_tune_which {
	const char *device; /* NULL: all; by its name now, of one that is gone
			     * by its name then */
	const char *owner;  /* NULL: all */
	bool idle;	    /* not those of a forwarder that runs */
	bool dead;	    /* only those of forwarders that do not run */
	bool unconfirmed;   /* only those */
};

/*
 * Undoes entries, the last first, and adds a row for each to `list`. What cannot
 * be undone now (SL_TUNE_LEFT) stays in the journal, all else goes out of it: 0
 * also then. -errno with a message when the journal could not be written: the
 * rows hold all the same, and the file has entries that are undone already.
 */
int sl_tune_undo(struct sl_tune_journal *journal,
		 const struct sl_tune_which *which, struct sl_tune_list *list,
		 struct sl_error *error);

/* A row for each entry: SL_TUNE_HOLDS, _DRIFTED, _GONE or _UNSEEN. No lock. */
int sl_tune_status(const struct sl_tune_journal *journal,
		   const struct sl_tune_which *which,
		   struct sl_tune_list *list);

/*
 * One setting for a process that runs, such as the forwarder's agent; takes the
 * lock itself. 0: `value` was set and read back, or is set by an entry of this
 * owner, or of another forwarder, which becomes this owner's (what undo brings
 * back stays), or stood there. -EOPNOTSUPP: this kernel or driver has it not;
 * -EBUSY: `sluice tune` has set another value; -EAGAIN: another sluice has the
 * lock, ask again later (it waits a tenth of a second: the caller has more to
 * do); or another -errno. *now: what is there, if it could be read. With a message.
 */
int sl_tune_hold(const char *device, const struct sl_tune_key *key,
		 uint64_t value, const char *owner, uint64_t *now,
		 struct sl_error *error);

/* Undoes what this owner holds. Takes the lock itself. 0 or as sl_tune_undo(). */
int sl_tune_release(const char *owner, struct sl_error *error);

/*
 * Undoes what forwarders that were killed have left; `owner`, unless NULL, is one
 * of them: whoever has its PID now has set nothing yet. 0, or as sl_tune_undo(),
 * or -EAGAIN as above.
 */
int sl_tune_release_dead(const char *owner, struct sl_error *error);

#endif /* SLUICE_TUNE_H */
