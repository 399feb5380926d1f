// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "cli.h"
#include "filters.h"
#include "options.h"
#include "lib/array.h"
#include "lib/audit.h"
#include "lib/error.h"
#include "lib/jsontext.h"
#include "lib/lock.h"
#include "lib/pending.h"

/*
 * By our link, by our netlink call, or under a dispatcher that `apply` joined
 * (what xdp-loader put there has no configuration).
 */
static bool attached_by_us(const struct cli_filter *f)
{
	switch (f->attachment.how) {
	case SL_ATTACHED_LINK:
		return true;
	case SL_ATTACHED_NETLINK:
		return f->filter.gen.flags & SL_GEN_NETLINK;
	default:
		return f->filter.gen.generation != 0;
	}
}

/* What was detached, as it goes on. */
struct taken {
	json_t *names; /* NULL: for people */
	struct sl_audit_change *changes;
	size_t n;
};

static void note(struct taken *taken, const struct cli_filter *f)
{
	struct sl_audit_change *more =
		sl_array_room(taken->changes, taken->n, sizeof(*more));

	if (taken->names)
		json_array_append_new(taken->names,
				      sl_json_text(f->attachment.interface));
	else
		printf("%s: detached\n", f->attachment.interface);
	if (!more)
		return;
	taken->changes = more;
	more += taken->n++;
	*more = (struct sl_audit_change){ .before = f->filter.gen.generation };
	memcpy(more->interface, f->attachment.interface,
	       sizeof(more->interface));
}

static int take_down(struct cli_filter *f, struct taken *taken)
{
	const char *name = f->attachment.interface;
	struct sl_error error = { "" };
	char remedy[256];
	int err;

	if (!attached_by_us(f)) {
		sl_attachment_remedy(&f->attachment, remedy, sizeof(remedy));
		fprintf(stderr,
			"sluice: %s: another tool attached its filter; left as "
			"it is: %s detaches it\n",
			name, remedy);
		return CLI_SYSTEM;
	}
	err = sl_attachment_remove(&f->attachment, f->filter.prog_fd, &error);
	if (err)
		return cli_fail(err, error.text);
	note(taken, f);
	return CLI_OK;
}

/* One by one, so that a name that is wrong spares no other. */
static int down_named(char **names, int n, struct taken *taken)
{
	int worst = CLI_OK;

	for (int i = 0; i < n; i++) {
		struct cli_filters filters;
		int status = cli_filters_open(names + i, 1, 0, &filters);

		if (status == CLI_OK) {
			status = take_down(&filters.items[0], taken);
			cli_filters_close(&filters);
		}
		if (status > worst)
			worst = status;
	}
	return worst;
}

/* What others attached is said, and is no failure. */
static int down_all(struct taken *taken)
{
	struct cli_filters filters;
	int worst = CLI_OK, status = cli_filters_open(NULL, 0, 0, &filters);

	if (status != CLI_OK)
		return status;
	if (!filters.n_items && !taken->names)
		puts("no filter of Sluice's is attached in this network "
		     "namespace");
	for (size_t i = 0; i < filters.n_items; i++) {
		bool ours = attached_by_us(&filters.items[i]);

		status = take_down(&filters.items[i], taken);
		if (ours && status > worst)
			worst = status;
	}
	cli_filters_close(&filters);
	return worst;
}

/* Whoever takes filters off does not want them back when a time is up. */
static void drop_pending(struct sl_pending *pending)
{
	struct sl_error error = { "" };

	if (!pending->waits)
		return;
	if (sl_pending_clear(pending, &error))
		cli_fail(-EIO, error.text);
	else
		fprintf(stderr,
			"sluice: %s waited to be confirmed; that ends with "
			"this: nothing is put back\n",
			pending->file);
}

static int run(char **names, int n, struct taken *taken)
{
	struct sl_error error = { "" };
	struct sl_pending pending;
	struct sl_lock lock;
	int status = sl_lock_take(&lock, &error);

	if (status)
		return cli_fail(status, error.text);
	sl_pending_open(false, &pending, &error);
	status = n ? down_named(names, n, taken) : down_all(taken);
	sl_attachment_sweep();
	if (taken->n) {
		drop_pending(&pending);
		sl_audit("down", taken->changes, taken->n);
	}
	sl_pending_close(&pending);
	sl_lock_release(&lock);
	return status;
}

int cli_down(const struct cli_command *command, int argc, char **argv)
{
	struct taken taken = { 0 };
	bool json;
	int status;

	if (cli_json_option(command, argc, argv, &json) != CLI_OK)
		return CLI_USAGE;
	taken.names = json ? json_array() : NULL;
	status = run(argv + optind, argc - optind, &taken);
	free(taken.changes);
	if (json) {
		int printed = cli_print_json(
			json_pack("{s:o}", "detached", taken.names));

		return status == CLI_OK ? printed : status;
	}
	return status;
}
