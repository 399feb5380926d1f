// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "cli.h"
#include "filters.h"
#include "lib/error.h"

/* By our link, by our netlink call, or under a dispatcher that we joined. */
static bool attached_by_us(const struct cli_filter *f)
{
	return f->attachment.how != SL_ATTACHED_NETLINK ||
	       f->filter.gen.flags & SL_GEN_NETLINK;
}

static int take_down(struct cli_filter *f)
{
	struct sl_error error = { "" };
	int err;

	if (!attached_by_us(f)) {
		fprintf(stderr,
			"sluice: %s: another tool attached its filter; left "
			"as it is (`ip link set dev %s xdp off` detaches it)\n",
			f->attachment.interface, f->attachment.interface);
		return CLI_SYSTEM;
	}
	err = sl_attachment_remove(&f->attachment, f->filter.prog_fd, &error);
	if (err)
		return cli_fail(err, error.text);
	printf("%s: detached\n", f->attachment.interface);
	return CLI_OK;
}

int cli_down(const struct cli_command *command, int argc, char **argv)
{
	static const struct option options[] = { { 0 } };
	struct cli_filters filters;
	int status, worst = CLI_OK;
	bool named;

	if (getopt_long(argc, argv, "", options, NULL) != -1)
		return cli_usage(command);
	named = argc > optind;
	status = cli_filters_open(argv + optind, argc - optind, 0, &filters);
	if (status != CLI_OK)
		return status;
	for (size_t i = 0; i < filters.n_items; i++) {
		status = take_down(&filters.items[i]);
		if (status != CLI_OK &&
		    (named || attached_by_us(&filters.items[i])))
			worst = status;
	}
	cli_filters_close(&filters);
	sl_attachment_sweep();
	return worst;
}
