// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "options.h"
#include "tune_guard.h"
#include "tune_print.h"
#include "lib/audit.h"
#include "lib/config.h"
#include "lib/doctor_nic.h"
#include "lib/error.h"
#include "lib/keyword.h"
#include "lib/lock.h"
#include "lib/tune.h"
#include "lib/tune_plan.h"

#define CONFIRM_MAX_S 86400

/* What was asked. */
struct request {
	const struct cli_command *command;
	bool json;
	const char *file, *confirm;
	struct cli_words set;
	unsigned long confirm_s; /* 0: not to be confirmed */
	char **names;
	size_t n_names;
	struct sl_config *config; /* NULL: no file */
	struct sl_tune_wish wish;
	uint32_t cpus[CPU_SETSIZE]; /* those we may run on */
};

/* What is being done; the lock, where it changes anything. */
struct work {
	struct sl_tune_journal journal;
	struct sl_tune_list rows;
	struct sl_error error;
};

static int cannot_read(const char *name, int err)
{
	if (err == -ENODEV)
		fprintf(stderr,
			"sluice: %s: no such interface in this network "
			"namespace; `ip link` lists those there are\n",
			name);
	else
		fprintf(stderr, "sluice: %s: read its settings: %s\n", name,
			strerror(-err));
	return err == -ENODEV ? CLI_INPUT : CLI_SYSTEM;
}

static int bad_value(const struct sl_tune_item *item)
{
	fprintf(stderr, "sluice: --set %s=%s: expected %s\n",
		sl_tune_kinds[item->key.setting].name, item->wanted,
		sl_tune_kinds[item->key.setting].value);
	return CLI_INPUT;
}

/* One `--set NAME=VALUE`; the poll mode is none of the kernel's settings. */
static int take_set(struct request *r, const char *word)
{
	const char *value = strchr(word, '=');
	char name[32] = "";
	enum sl_tune_setting setting;

	if (value && (size_t)(value - word) < sizeof(name))
		memcpy(name, word, (size_t)(value - word));
	if (value && value[1] && sl_tune_setting_find(name, &setting)) {
		r->wish.set[setting] = value + 1;
		return CLI_OK;
	}
	for (unsigned i = 0; value && strcmp(name, "poll") == 0; i++) {
		if (!sl_poll_words[i])
			break;
		if (strcmp(value + 1, sl_poll_words[i]) == 0) {
			r->wish.poll = (enum sl_poll)i;
			return CLI_OK;
		}
	}
	fprintf(stderr,
		"sluice: --set %s: expected NAME=VALUE; the names are poll "
		"(sleep, adaptive, busy)",
		word);
	for (int i = 0; i < SL_TUNE_SETTINGS; i++)
		fprintf(stderr, ", %s", sl_tune_kinds[i].name);
	fputc('\n', stderr);
	return CLI_USAGE;
}

static int take_cpus(struct request *r)
{
	cpu_set_t allowed;

	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		return cli_fail(-errno, "read the CPUs that are allowed here");
	r->wish.cpus = r->cpus;
	for (uint32_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &allowed))
			r->cpus[r->wish.n_cpus++] = cpu;
	return CLI_OK;
}

static void take_config(struct request *r)
{
	const struct sl_forwarder *f = &r->config->forwarder;

	r->wish.poll = f->poll;
	r->wish.workers = f->workers;
	r->wish.defer = f->poll_defer;
	r->wish.timeout_ns = f->poll_timeout_ns;
	if (!f->n_cpus)
		return;
	r->wish.cpus = f->cpus;
	r->wish.n_cpus = f->n_cpus;
	r->wish.cpus_given = true;
}

/* Without names: those of the configuration's interfaces. */
static int take_names(struct request *r)
{
	size_t n = r->config ? r->config->n_interfaces : 0;

	if (r->n_names)
		return CLI_OK;
	if (!n) {
		fputs("sluice: tune: name an interface, or a file that does "
		      "(-c FILE)\n",
		      stderr);
		return cli_usage(r->command);
	}
	r->names = calloc(n, sizeof(*r->names));
	if (!r->names)
		return cli_fail(-ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++)
		r->names[r->n_names++] = r->config->interfaces[i].name;
	return CLI_OK;
}

static int take_wish(struct request *r)
{
	int status = take_cpus(r);

	if (status == CLI_OK && r->file)
		status = cli_read_config(r->file, &r->config);
	if (status == CLI_OK && r->config)
		take_config(r);
	for (size_t i = 0; status == CLI_OK && i < r->set.n; i++)
		status = take_set(r, r->set.words[i]);
	if (status == CLI_OK && r->confirm)
		status = cli_option_number("--confirm", r->confirm,
					   CONFIRM_MAX_S, &r->confirm_s);
	return status == CLI_OK ? take_names(r) : status;
}

/* The plan of one interface; the device is the caller's to close if CLI_OK. */
static int plan_one(const struct request *r, const char *name,
		    struct sl_tune_device *device, struct sl_tune_list *rows)
{
	const struct sl_tune_item *bad = NULL;
	struct sl_nic nic;
	int err = sl_nic_read(name, &nic);

	if (err)
		return cannot_read(name, err);
	err = sl_tune_plan(&nic, &r->wish, rows);
	sl_nic_fini(&nic);
	if (err)
		return cannot_read(name, err);
	err = sl_tune_device_open(name, device);
	if (err)
		return cannot_read(name, err);
	err = sl_tune_plan_look(device, rows, &bad);
	if (!err)
		return CLI_OK;
	sl_tune_device_close(device);
	return err == -EINVAL ? bad_value(bad) : cannot_read(name, err);
}

/* Rows at the end of others; `from` is then empty. */
static int move_rows(struct sl_tune_list *to, struct sl_tune_list *from)
{
	for (size_t i = 0; i < from->n; i++) {
		struct sl_tune_item *item = sl_tune_list_add(
			to, from->items[i].device, &from->items[i].key);

		if (!item)
			return cli_fail(-ENOMEM, "out of memory");
		*item = from->items[i];
		from->items[i] = (struct sl_tune_item){ 0 };
	}
	return CLI_OK;
}

static int plan(struct request *r, struct work *work)
{
	int status = CLI_OK;

	for (size_t i = 0; i < r->n_names && status == CLI_OK; i++) {
		struct sl_tune_list rows = { 0 };
		struct sl_tune_device device;

		status = plan_one(r, r->names[i], &device, &rows);
		if (status == CLI_OK) {
			sl_tune_device_close(&device);
			status = move_rows(&work->rows, &rows);
		}
		sl_tune_list_fini(&rows);
	}
	return status == CLI_OK ? cli_tune_print(&work->rows, NULL, r->json) :
				  status;
}

/* What this apply has set is undone, and said. */
static void give_up(struct work *work)
{
	const struct sl_tune_which which = { .unconfirmed = true };
	struct sl_tune_list undone = { 0 };
	size_t n = 0;

	if (sl_tune_undo(&work->journal, &which, &undone, &work->error) ||
	    sl_tune_journal_confirm(&work->journal, &work->error))
		cli_fail(-EIO, work->error.text);
	for (size_t i = 0; i < undone.n; i++)
		n += undone.items[i].outcome == SL_TUNE_UNDONE;
	fprintf(stderr, "sluice: tune: what was set is undone (%zu settings)\n",
		n);
	for (size_t i = 0; i < undone.n; i++)
		if (undone.items[i].outcome == SL_TUNE_LEFT)
			fprintf(stderr,
				"sluice: %s: %s could not be undone: %s; "
				"`sluice tune undo` tries again\n",
				undone.items[i].device,
				sl_tune_kinds[undone.items[i].key.setting].name,
				undone.items[i].why);
	sl_tune_list_fini(&undone);
}

static int apply_one(struct request *r, struct work *work, const char *name)
{
	struct sl_tune_list rows = { 0 };
	struct sl_tune_device device;
	int err, status = plan_one(r, name, &device, &rows);

	if (status != CLI_OK) {
		sl_tune_list_fini(&rows);
		return status;
	}
	err = sl_tune_apply(&work->journal, &device, &rows, &work->error);
	sl_tune_device_close(&device);
	status = err ? cli_fail(err, work->error.text) :
		       move_rows(&work->rows, &rows);
	sl_tune_list_fini(&rows);
	return status;
}

static int apply_all(struct request *r, struct work *work)
{
	int status = CLI_OK;

	/* All of them are planned before one is changed: a bad value is seen. */
	for (size_t i = 0; i < r->n_names && status == CLI_OK; i++) {
		struct sl_tune_list rows = { 0 };
		struct sl_tune_device device;

		status = plan_one(r, r->names[i], &device, &rows);
		if (status == CLI_OK)
			sl_tune_device_close(&device);
		sl_tune_list_fini(&rows);
	}
	if (status != CLI_OK)
		return status;
	for (size_t i = 0; i < r->n_names && status == CLI_OK; i++)
		status = apply_one(r, work, r->names[i]);
	if (status != CLI_OK)
		give_up(work);
	return status;
}

static void say_stale(const struct sl_tune_journal *journal)
{
	if (journal->stale)
		fprintf(stderr,
			"sluice: tune: %s is of another boot, or of a network "
			"namespace that is gone, and so is what it could undo: "
			"not used\n",
			journal->path);
}

/* Is there anything that would be undone? */
static bool waits(const struct sl_tune_journal *journal)
{
	for (size_t i = 0; i < journal->n; i++)
		if (journal->entries[i].unconfirmed)
			return true;
	return false;
}

static int apply(struct request *r, struct work *work)
{
	int hold = -1, err = 0, status;

	if (work->journal.confirm_ns) {
		fputs("sluice: tune: an earlier apply waits for `sluice tune "
		      "confirm`, or undo\n",
		      stderr);
		return CLI_SYSTEM;
	}
	if (r->confirm_s)
		err = cli_tune_guard_start(r->confirm_s, &work->journal, &hold,
					   &work->error);
	if (err)
		return cli_fail(err, work->error.text);
	status = apply_all(r, work);
	if (status == CLI_OK && (!r->confirm_s || !waits(&work->journal)))
		err = sl_tune_journal_confirm(&work->journal, &work->error);
	if (hold >= 0)
		close(hold);
	if (status != CLI_OK)
		return status;
	if (err)
		return cli_fail(err, work->error.text);
	return cli_tune_print(&work->rows, &work->journal, r->json);
}

static int undo(struct request *r, struct work *work)
{
	struct sl_tune_which which = { .idle = true };
	int err = 0, status = CLI_OK;

	for (size_t i = 0; i < r->n_names && !err; i++) {
		which.device = r->names[i];
		err = sl_tune_undo(&work->journal, &which, &work->rows,
				   &work->error);
	}
	if (!r->n_names)
		err = sl_tune_undo(&work->journal, &which, &work->rows,
				   &work->error);
	/* What was done before it failed is shown all the same. */
	if (err)
		status = cli_fail(err, work->error.text);
	for (size_t i = 0; i < work->rows.n; i++)
		if (work->rows.items[i].outcome == SL_TUNE_LEFT)
			status = CLI_SYSTEM;
	/* A journal that is not used goes, too, and half of one. */
	if (!work->journal.n)
		sl_tune_journal_save(&work->journal, &work->error);
	if (!work->rows.n && !r->json && status == CLI_OK)
		puts(work->journal.n ?
			     "nothing to undo here: `sluice tune status` shows "
			     "what is set, and by whom" :
			     "nothing to undo: nothing here is set by sluice");
	err = cli_tune_print(&work->rows, NULL, r->json);
	return status == CLI_OK ? err : status;
}

static int confirm(struct request *r, struct work *work)
{
	if (!work->journal.confirm_ns) {
		fputs("sluice: tune: nothing waits to be confirmed\n", stderr);
		return CLI_INPUT;
	}
	if (sl_tune_journal_confirm(&work->journal, &work->error))
		return cli_fail(-EIO, work->error.text);
	if (!r->json)
		puts("confirmed: it stays, until `sluice tune undo`");
	return r->json ? cli_tune_print(&work->rows, NULL, true) : CLI_OK;
}

static int status(struct request *r, struct work *work)
{
	struct sl_tune_which which = { 0 };
	int err = 0;

	for (size_t i = 0; i < r->n_names && !err; i++) {
		which.device = r->names[i];
		err = sl_tune_status(&work->journal, &which, &work->rows);
	}
	if (!r->n_names)
		err = sl_tune_status(&work->journal, &which, &work->rows);
	if (err)
		return cli_fail(err, "out of memory");
	if (!work->rows.n && !r->json)
		puts("nothing here is set by sluice");
	return cli_tune_print(&work->rows, &work->journal, r->json);
}

/* How each verb is called, and what it needs. */
static const struct verb {
	const char *name;
	int (*run)(struct request *request, struct work *work);
	bool plans;    /* takes what a plan is made of */
	bool confirms; /* takes --confirm */
	bool named;    /* takes interfaces */
	bool locks;
	bool journal;
	const char *audit; /* NULL: it changes nothing */
} verbs[] = {
	{ "plan", plan, .plans = true, .named = true },
	{ "apply", apply, true, true, true, true, true, "tune apply" },
	{ "status", status, .named = true, .journal = true },
	{ "undo", undo, .named = true, .locks = true, .journal = true,
	  .audit = "tune undo" },
	{ "confirm", confirm, .locks = true, .journal = true,
	  .audit = "tune confirm" },
};

static bool fits(const struct verb *verb, const struct request *r)
{
	return (verb->plans || (!r->file && !r->set.n)) &&
	       (verb->confirms || !r->confirm) && (verb->named || !r->n_names);
}

static int run(const struct verb *verb, struct request *r)
{
	struct work work = { .error = { "" } };
	struct sl_lock lock;
	int err = 0, done;

	if (verb->locks)
		err = sl_tune_lock(0, &lock, &work.error);
	if (err)
		return cli_fail(err, work.error.text);
	if (verb->journal)
		err = sl_tune_journal_load(&work.journal, &work.error);
	if (err) {
		done = cli_fail(-EIO, work.error.text);
	} else {
		say_stale(&work.journal);
		done = verb->run(r, &work);
	}
	sl_tune_list_fini(&work.rows);
	sl_tune_journal_fini(&work.journal);
	if (verb->locks)
		sl_lock_release(&lock);
	return done;
}

int cli_tune(const struct cli_command *command, int argc, char **argv)
{
	struct request r = { .command = command };
	const struct cli_option options[] = {
		{ "json", .flag = &r.json },
		{ "config", 'c', .value = &r.file },
		{ "confirm", .value = &r.confirm },
		{ "set", .words = &r.set },
		{ 0 }
	};
	const struct verb *verb = NULL;
	char **given;
	int done;

	if (cli_options_read(command, options, argc, argv) != CLI_OK)
		return CLI_USAGE;
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (optind < argc && strcmp(argv[optind], verbs[i].name) == 0)
			verb = &verbs[i];
	if (!verb)
		return cli_usage(command);
	given = argv + optind + 1;
	r.names = given;
	r.n_names = (size_t)(argc - optind - 1);
	if (!fits(verb, &r))
		return cli_usage(command);
	done = verb->plans ? take_wish(&r) : CLI_OK;
	if (done == CLI_OK) {
		done = run(verb, &r);
		if (done == CLI_OK && verb->audit)
			sl_audit(verb->audit, NULL, 0);
	}
	if (r.names != given)
		free(r.names);
	sl_config_free(r.config);
	return done;
}
