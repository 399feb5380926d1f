// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "pending.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include <jansson.h>

#include "lib/deadman.h"
#include "lib/error.h"
#include "lib/history.h"
#include "lib/jsontext.h"
#include "lib/lock.h"
#include "lib/pending.h"
#include "lib/pins.h"
#include "lib/restore.h"

/* Each waits ten seconds: a minute for whoever has the lock. */
#define LOCK_TRIES 6

static bool is_needed(int kept, uint64_t due_ns)
{
	struct sl_error ignored;
	struct sl_pending pending;
	bool needed;

	if (sl_pending_open_at(kept, &pending, &ignored))
		return true;
	needed = pending.waits && pending.due_ns == due_ns;
	sl_pending_close(&pending);
	return needed;
}

static int take_lock(struct sl_lock *lock, struct sl_error *error)
{
	int err = -EBUSY;

	for (int i = 0; i < LOCK_TRIES && err == -EBUSY; i++)
		err = sl_lock_take(lock, error);
	return err;
}

/* Due. Without the lock nothing is changed: `status` says that it is overdue. */
static void undo(int kept, uint64_t due_ns)
{
	struct sl_error error = { "" };
	struct sl_pending pending;
	struct sl_lock lock;
	int err = take_lock(&lock, &error);

	if (err) {
		syslog(LOG_ERR, "not confirmed, and not undone: %s",
		       error.text);
		return;
	}
	err = sl_pending_open_at(kept, &pending, &error);
	if (!err && pending.waits && pending.due_ns == due_ns) {
		err = cli_pending_undo(&pending, "automatic rollback", &error);
		if (!err)
			syslog(LOG_NOTICE, "%s was not confirmed: undone",
			       pending.file);
	}
	if (err)
		syslog(LOG_ERR, "not confirmed, and not undone: %s",
		       error.text);
	sl_pending_close(&pending);
	sl_lock_release(&lock);
}

int cli_pending_guard(const struct sl_pending *pending, unsigned long seconds,
		      struct sl_deadman_watch *watch, struct sl_error *error)
{
	const struct sl_deadman deadman = { is_needed, undo, pending->dir };

	/* It finds what is attached where its parent finds it: see pins.h. */
	sl_pins_find();
	return sl_deadman_start(&deadman, seconds, watch, error);
}

int cli_pending_undo(struct sl_pending *pending, const char *action,
		     struct sl_error *error)
{
	unsigned before = pending->before;
	struct sl_befores befores;
	struct sl_history history;
	struct sl_error ignored;
	int err = sl_history_open(true, &history, &ignored);
	const struct sl_history_entry *ran =
		err ? NULL : sl_history_find(&history, before);

	err = sl_pending_read(pending, &befores, error);
	if (err) {
		sl_history_close(&history);
		return err;
	}
	err = sl_restore(&befores, ran ? ran->file : pending->file, action,
			 error);
	if (!err)
		err = sl_pending_clear(pending, error);
	/* What it says of what runs is for people; it can wait for the disk. */
	if (!err)
		sl_history_mark(&history, before, history.confirmed, &ignored);
	sl_befores_fini(&befores);
	sl_history_close(&history);
	return err;
}

void cli_pending_print(const struct sl_pending *p, char *text,
		       unsigned long bytes)
{
	long left = sl_deadman_seconds_left(p->due_ns);
	char what[96];

	if (left <= 0)
		snprintf(what, sizeof(what), "it is overdue by %ld s", -left);
	else if (sl_deadman_runs(p->guard))
		snprintf(what, sizeof(what), "in %ld s it is undone", left);
	else
		snprintf(what, sizeof(what),
			 "the process that would undo it is gone");
	snprintf(text, bytes,
		 "%s, applied by %s, is not confirmed: %s; `sluice confirm` "
		 "keeps it, `sluice rollback` takes it back",
		 p->file, p->who, what);
}

struct json_t *cli_pending_json(const struct sl_pending *p)
{
	if (!p->waits)
		return json_null();
	return json_pack("{s:o, s:o, s:I, s:I, s:b}", "file",
			 sl_json_text(p->file), "who", sl_json_text(p->who),
			 "time", (json_int_t)p->time, "seconds_left",
			 (json_int_t)sl_deadman_seconds_left(p->due_ns),
			 "automatic", sl_deadman_runs(p->guard));
}

void cli_pending_warn(void)
{
	struct sl_error ignored;
	struct sl_pending pending;
	char text[sizeof(pending.file) + sizeof(pending.who) + 256];

	if (sl_pending_open(false, &pending, &ignored))
		return;
	if (pending.waits && !sl_deadman_runs(pending.guard)) {
		cli_pending_print(&pending, text, sizeof(text));
		fprintf(stderr, "sluice: warning: %s\n", text);
	}
	sl_pending_close(&pending);
}
