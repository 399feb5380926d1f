// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include <jansson.h>

#include "cli.h"
#include "filters.h"
#include "options.h"
#include "lib/error.h"
#include "lib/jsontext.h"
#include "lib/lock.h"

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

static int take_down(struct cli_filter *f, json_t *detached)
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
	if (detached)
		json_array_append_new(detached, sl_json_text(name));
	else
		printf("%s: detached\n", name);
	return CLI_OK;
}

/* One by one, so that a name that is wrong spares no other. */
static int down_named(char **names, int n, json_t *detached)
{
	int worst = CLI_OK;

	for (int i = 0; i < n; i++) {
		struct cli_filters filters;
		int status = cli_filters_open(names + i, 1, 0, &filters);

		if (status == CLI_OK) {
			status = take_down(&filters.items[0], detached);
			cli_filters_close(&filters);
		}
		if (status > worst)
			worst = status;
	}
	return worst;
}

/* What others attached is said, and is no failure. */
static int down_all(json_t *detached)
{
	struct cli_filters filters;
	int worst = CLI_OK, status = cli_filters_open(NULL, 0, 0, &filters);

	if (status != CLI_OK)
		return status;
	if (!filters.n_items && !detached)
		puts("no filter of Sluice's is attached in this network "
		     "namespace");
	for (size_t i = 0; i < filters.n_items; i++) {
		bool ours = attached_by_us(&filters.items[i]);

		status = take_down(&filters.items[i], detached);
		if (ours && status > worst)
			worst = status;
	}
	cli_filters_close(&filters);
	return worst;
}

int cli_down(const struct cli_command *command, int argc, char **argv)
{
	struct sl_error error = { "" };
	json_t *detached;
	struct sl_lock lock;
	bool json;
	int status;

	if (cli_json_option(command, argc, argv, &json) != CLI_OK)
		return CLI_USAGE;
	status = sl_lock_take(&lock, &error);
	if (status)
		return cli_fail(status, error.text);
	detached = json ? json_array() : NULL;
	status = argc > optind ?
			 down_named(argv + optind, argc - optind, detached) :
			 down_all(detached);
	sl_attachment_sweep();
	sl_lock_release(&lock);
	if (detached) {
		int printed = cli_print_json(
			json_pack("{s:o}", "detached", detached));

		return status == CLI_OK ? printed : status;
	}
	return status;
}
