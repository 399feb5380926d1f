// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * One change of the rules, all of it under the lock, in this order, so that
 * whoever dies leaves a state that the next command understands:
 *
 *   1. Another change that waits to be confirmed refuses this one.
 *   2. With --confirm the process that will take it back is started (deadman.h). It
 *      waits for the end of this one, and then for the file of step 6.
 *   3. What it changes is shown: by the text that runs, not by a file.
 *   4. Live rules that run are added; then the guard (cutoff.h) looks at the whole
 *      and refuses what would cut the operator off. A dry run ends after loading.
 *   5. It is written to the history, not yet as what runs. That may fail (a full
 *      disk): then the filter is applied all the same, because who is under attack
 *      needs the filter more than the way back, and is told so.
 *   6. With --confirm, what runs is written down (pending.h). That may not fail:
 *      a promise to go back that cannot be kept is refused.
 *   7. The swap (apply.h): all interfaces or none. If it fails, 5 and 6 are undone.
 *   8. The history says what runs, and without --confirm that it is confirmed. One
 *      line of audit.
 *
 * Killed before 7, nothing has changed, and the history has an entry too many.
 * Killed in 7 or behind it, with --confirm: taken back when it is due, interfaces
 * that were not swapped yet included.
 */
#include "change.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "applied.h"
#include "cli.h"
#include "difference.h"
#include "pending.h"
#include "lib/actor.h"
#include "lib/apply.h"
#include "lib/audit.h"
#include "lib/carry.h"
#include "lib/config.h"
#include "lib/cutoff.h"
#include "lib/deadman.h"
#include "lib/error.h"
#include "lib/history.h"
#include "lib/jsontext.h"
#include "lib/lock.h"
#include "lib/pending.h"

struct job {
	struct cli_change *change;
	struct sl_pending pending;
	struct sl_history history;
	struct sl_befores befores; /* what runs */
	struct sl_deadman_watch watch;
	struct sl_cutoffs cutoffs;
	struct sl_applied *applied;
	size_t n_applied, n_missing;
	bool *skip;
	char *text;	 /* canonical, without the live rules of others */
	int number;	 /* its entry in the history; 0: none */
	json_t *changes; /* NULL: for people */
	struct sl_error error;
};

static int fail(struct job *j, int err)
{
	j->change->refused = err == -EINVAL || err == -ENODEV;
	return cli_fail(err == -ENODEV ? -EINVAL : err, j->error.text);
}

static int no_memory(struct job *j)
{
	return fail(j, sl_error_set(&j->error, -ENOMEM, "out of memory"));
}

/* Refuses beside another change; a dry run only says that there is one. */
static int check_pending(struct job *j)
{
	char text[sizeof(j->pending.file) + sizeof(j->pending.who) + 256];

	if (!j->pending.waits)
		return CLI_OK;
	cli_pending_print(&j->pending, text, sizeof(text));
	fprintf(stderr, "sluice: %s\n", text);
	return j->change->dry_run ? CLI_OK : CLI_SYSTEM;
}

static int open_state(struct job *j)
{
	struct cli_change *c = j->change;
	int status, err = sl_pending_open(!c->dry_run, &j->pending, &j->error);

	if (err)
		return fail(j, err);
	status = check_pending(j);
	if (status != CLI_OK)
		return status;
	if (sl_history_open(!c->dry_run, &j->history, &j->error))
		fprintf(stderr, "sluice: warning: %s\n", j->error.text);
	if (!c->confirm_s || c->dry_run)
		return CLI_OK;
	err = cli_pending_guard(&j->pending, c->confirm_s, &j->watch,
				&j->error);
	return err ? fail(j, err) : CLI_OK;
}

static int print_text(struct job *j)
{
	size_t bytes;
	FILE *out = open_memstream(&j->text, &bytes);
	int err = out ? sl_config_print(j->change->config,
					SL_PRINT_EXPAND | SL_PRINT_LIVE, out) :
			-1;

	if (out && fclose(out) == 0 && !err)
		return CLI_OK;
	return no_memory(j);
}

static int find_missing(struct job *j)
{
	const struct sl_config *config = j->change->config;

	j->skip = calloc(config->n_interfaces + 1, sizeof(*j->skip));
	j->applied = calloc(config->n_interfaces + 1, sizeof(*j->applied));
	if (!j->skip || !j->applied)
		return no_memory(j);
	for (size_t i = 0; i < config->n_interfaces && j->change->boot; i++) {
		const char *name = config->interfaces[i].name;

		j->skip[i] = !if_nametoindex(name);
		j->n_missing += j->skip[i];
		if (j->skip[i])
			fprintf(stderr,
				"sluice: %s: not there yet, so not filtered; "
				"`sluice apply --boot` again when it is\n",
				name);
	}
	j->n_applied = config->n_interfaces - j->n_missing;
	return CLI_OK;
}

static int show_difference(struct job *j)
{
	struct cli_change *c = j->change;
	int err = sl_befores_take(c->config, c->confirm_s && !c->dry_run,
				  &j->befores, &j->error);

	if (err)
		return fail(j, err);
	return cli_difference_show(&j->befores, c->config, j->changes);
}

/* What was confirmed is not asked about again when nobody is there to answer. */
static bool is_trusted(const struct job *j)
{
	struct sl_error ignored;
	char *text;
	size_t length;
	bool same;

	if (!j->change->boot ||
	    sl_history_read(&j->history, j->history.confirmed, &text, &length,
			    &ignored))
		return false;
	text[length] = '\0';
	same = strcmp(text + strcspn(text, "\n") + 1, j->text) == 0;
	free(text);
	return same;
}

static int guard(struct job *j)
{
	struct sl_actor actor;
	bool refuse;
	int err;

	if (is_trusted(j))
		return CLI_OK;
	sl_actor_read(&actor);
	if (j->change->boot)
		actor.ssh[0] = '\0';
	err = sl_cutoffs_find(j->change->config, &actor, &j->cutoffs);
	if (err)
		return no_memory(j);
	refuse = j->cutoffs.n && !j->change->force;
	for (size_t i = 0; i < j->cutoffs.n; i++)
		fprintf(stderr, "sluice: %s%s\n",
			refuse ? "" : "warning: ", j->cutoffs.items[i].text);
	if (!refuse)
		return CLI_OK;
	fputs("sluice: refused, and nothing was changed; --force applies it "
	      "all the same\n",
	      stderr);
	j->change->refused = true;
	return CLI_INPUT;
}

static void keep(struct job *j)
{
	uint64_t ran = 0;

	for (size_t i = 0; i < j->befores.n; i++)
		if (ran < j->befores.items[i].generation)
			ran = j->befores.items[i].generation;
	j->number = sl_history_add(&j->history, j->change->file, ran + 1,
				   j->text, &j->error);
	if (j->number > 0)
		return;
	j->number = 0;
	fprintf(stderr,
		"sluice: warning: %s; it is applied all the same, but "
		"`rollback` cannot come back to it, and after a boot what was "
		"confirmed before it runs\n",
		j->error.text);
}

static int promise(struct job *j)
{
	struct sl_pending *p = &j->pending;
	struct sl_actor actor;
	int err;

	if (!j->change->confirm_s)
		return CLI_OK;
	sl_actor_read(&actor);
	sl_actor_print(&actor, p->who, sizeof(p->who));
	snprintf(p->file, sizeof(p->file), "%s", j->change->file);
	p->due_ns = j->watch.due_ns;
	p->guard = j->watch.pid;
	p->time = time(NULL);
	p->number = (unsigned)j->number;
	p->before = j->history.running;
	err = sl_pending_save(p, &j->befores, &j->error);
	return err ? fail(j, err) : CLI_OK;
}

static void give_up(struct job *j)
{
	struct sl_error error;

	if (j->pending.waits && sl_pending_clear(&j->pending, &error))
		fprintf(stderr, "sluice: warning: %s\n", error.text);
	if (j->number)
		sl_history_drop(&j->history, (unsigned)j->number);
	j->number = 0;
}

static void mark(struct job *j)
{
	unsigned number = (unsigned)j->number;
	unsigned confirmed = j->change->confirm_s ? j->history.confirmed :
						    number;

	if (number &&
	    sl_history_mark(&j->history, number, confirmed, &j->error))
		fprintf(stderr, "sluice: warning: %s\n", j->error.text);
}

static int swap(struct job *j)
{
	struct cli_change *c = j->change;
	int status, err;

	keep(j);
	status = promise(j);
	if (status == CLI_OK) {
		err = sl_apply(c->config, j->skip, false, j->applied,
			       &j->error);
		status = err ? fail(j, err) : CLI_OK;
	}
	if (status != CLI_OK) {
		give_up(j);
		return status;
	}
	mark(j);
	sl_audit_applied(c->action, j->applied, j->n_applied);
	return CLI_OK;
}

static int run(struct job *j)
{
	struct cli_change *c = j->change;
	int err, status = open_state(j);

	if (status == CLI_OK)
		status = print_text(j);
	if (status == CLI_OK)
		status = find_missing(j);
	if (status == CLI_OK)
		status = show_difference(j);
	if (status != CLI_OK)
		return status;
	err = sl_carry(c->config, &j->error);
	if (err)
		return fail(j, err);
	status = guard(j);
	if (status != CLI_OK || !c->dry_run)
		return status == CLI_OK ? swap(j) : status;
	err = sl_apply(c->config, j->skip, true, j->applied, &j->error);
	return err ? fail(j, err) : CLI_OK;
}

static json_t *guard_json(const struct job *j)
{
	json_t *list = json_array();

	for (size_t i = 0; i < j->cutoffs.n; i++)
		json_array_append_new(list,
				      sl_json_text(j->cutoffs.items[i].text));
	return list;
}

static int print(struct job *j)
{
	const struct cli_change *c = j->change;

	if (c->json)
		return cli_print_json(
			json_pack("{s:b, s:o, s:O, s:o, s:o, s:I}", "dry_run",
				  c->dry_run, "interfaces",
				  cli_applied_json(j->applied, j->n_applied),
				  "changes", j->changes, "guard", guard_json(j),
				  "unconfirmed", cli_pending_json(&j->pending),
				  "history", (json_int_t)j->number));
	cli_applied_print(j->applied, j->n_applied, c->dry_run);
	if (j->pending.waits && !c->dry_run)
		printf("undone in %lu s, unless `sluice confirm` comes "
		       "before\n",
		       c->confirm_s);
	return fflush(stdout) == 0 ? CLI_OK : CLI_SYSTEM;
}

static void fini(struct job *j)
{
	sl_befores_fini(&j->befores);
	sl_history_close(&j->history);
	sl_pending_close(&j->pending);
	free(j->cutoffs.items);
	free(j->applied);
	free(j->skip);
	free(j->text);
	json_decref(j->changes);
}

int cli_change_run(struct cli_change *change)
{
	struct job j = { .change = change,
			 .pending.dir = -1,
			 .history.fd = -1,
			 .watch.hold = -1,
			 .changes = change->json ? json_array() : NULL };
	struct sl_lock lock;
	int status, err = sl_lock_take(&lock, &j.error);

	change->refused = false;
	status = err ? cli_fail(err, j.error.text) : run(&j);
	/* Before anything is printed: the terminal may be what was cut off. */
	if (j.watch.hold >= 0)
		close(j.watch.hold);
	if (!err)
		sl_lock_release(&lock);
	if (status == CLI_OK)
		status = print(&j);
	if (status == CLI_OK && j.n_missing)
		status = CLI_SYSTEM;
	fini(&j);
	return status;
}
