// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "tune_guard.h"

#include <syslog.h>

#include "lib/audit.h"
#include "lib/deadman.h"
#include "lib/error.h"
#include "lib/lock.h"
#include "lib/tune.h"

/* An apply or undo that is going on; longer, and something hangs. */
#define LOCK_WAIT_MS 60000

/* Without the lock: the journal is replaced whole. */
static bool is_needed(int kept, uint64_t due_ns)
{
	struct sl_error error = { "" };
	struct sl_tune_journal journal;
	bool needed;

	(void)kept;
	/* undo() will say so. */
	if (sl_tune_journal_load(&journal, &error))
		return true;
	needed = journal.confirm_ns == due_ns;
	sl_tune_journal_fini(&journal);
	return needed;
}

static void undo(int kept, uint64_t due_ns)
{
	const struct sl_tune_which which = { .unconfirmed = true };
	struct sl_tune_list list = { 0 };
	struct sl_error error = { "" };
	struct sl_tune_journal journal;
	struct sl_lock lock;

	(void)kept;
	if (sl_tune_lock(LOCK_WAIT_MS, &lock, &error)) {
		syslog(LOG_ERR, "tune: not confirmed: %s", error.text);
		return;
	}
	if (sl_tune_journal_load(&journal, &error)) {
		syslog(LOG_ERR, "tune: not confirmed: %s", error.text);
		goto out;
	}
	if (journal.confirm_ns == due_ns) {
		if (sl_tune_undo(&journal, &which, &list, &error) ||
		    sl_tune_journal_confirm(&journal, &error)) {
			syslog(LOG_ERR, "tune: not confirmed: %s", error.text);
		} else {
			syslog(LOG_NOTICE,
			       "tune: not confirmed: %zu settings undone",
			       list.n);
			sl_audit("tune automatic undo", NULL, 0);
		}
		sl_tune_list_fini(&list);
	}
	sl_tune_journal_fini(&journal);
out:
	sl_lock_release(&lock);
}

int cli_tune_guard_start(unsigned long seconds, struct sl_tune_journal *journal,
			 int *hold, struct sl_error *error)
{
	static const struct sl_deadman deadman = { is_needed, undo, -1 };
	struct sl_deadman_watch watch;
	int err = sl_deadman_start(&deadman, seconds, &watch, error);

	if (err)
		return err;
	journal->guard = watch.pid;
	journal->confirm_ns = watch.due_ns;
	*hold = watch.hold;
	return 0;
}

long cli_tune_seconds_left(const struct sl_tune_journal *journal)
{
	return sl_deadman_seconds_left(journal->confirm_ns);
}

bool cli_tune_guard_runs(const struct sl_tune_journal *journal)
{
	return sl_deadman_runs(journal->guard);
}
