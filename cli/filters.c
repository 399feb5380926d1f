// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "filters.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "lib/error.h"

static int open_one(const char *name, struct cli_filter *f,
		    struct sl_error *error)
{
	int err = sl_attachment_open(name, &f->attachment, error);

	if (err || !f->attachment.prog_id)
		return err;
	err = sl_filter_open(f->attachment.prog_id, &f->filter, error);
	f->ours = !err;
	if (!err || err == -ENOMSG)
		return 0;
	sl_attachment_close(&f->attachment);
	return err;
}

static int need_ours(const struct cli_filter *f)
{
	const struct sl_attachment *a = &f->attachment;
	char remedy[256];

	if (f->ours)
		return CLI_OK;
	if (a->prog_id) {
		sl_attachment_remedy(a, remedy, sizeof(remedy));
		fprintf(stderr,
			"sluice: %s: its XDP program \"%s\" (id %u) is not "
			"Sluice's; %s detaches it\n",
			a->interface, a->prog_name, a->prog_id, remedy);
	} else {
		fprintf(stderr,
			"sluice: %s: no filter is attached; `sluice apply "
			"FILE` attaches one\n",
			a->interface);
	}
	return CLI_SYSTEM;
}

static int add(const char *name, bool named, unsigned flags,
	       struct cli_filters *filters)
{
	struct cli_filter *f = &filters->items[filters->n_items];
	struct sl_error error = { "" };
	int err;

	*f = (struct cli_filter){ 0 };
	err = open_one(name, f, &error);
	if (err == -ENODEV && !named)
		return CLI_OK; /* gone since it was listed */
	if (err)
		return cli_fail(err == -ENODEV ? -EINVAL : err, error.text);
	filters->n_items++;
	if (flags & CLI_FILTERS_ANY)
		return CLI_OK;
	if (named)
		return need_ours(f);
	if (!f->ours) {
		sl_attachment_close(&f->attachment);
		filters->n_items--;
	}
	return CLI_OK;
}

static int add_all(unsigned flags, struct cli_filters *filters)
{
	struct if_nameindex *all = if_nameindex(), *i;
	size_t n = 0;
	int status = CLI_OK;

	if (!all)
		return cli_fail(-errno, strerror(errno));
	for (i = all; i->if_index; i++)
		n++;
	filters->items = calloc(n + 1, sizeof(*filters->items));
	if (!filters->items) {
		if_freenameindex(all);
		return cli_fail(-ENOMEM, "out of memory");
	}
	for (i = all; i->if_index && status == CLI_OK; i++)
		status = add(i->if_name, false, flags, filters);
	if_freenameindex(all);
	return status;
}

int cli_filters_open(char **names, int n, unsigned flags,
		     struct cli_filters *filters)
{
	struct cli_filters opened = { 0 };
	int status = CLI_OK;

	if (n == 0) {
		status = add_all(flags, &opened);
	} else {
		opened.items = calloc((size_t)n, sizeof(*opened.items));
		if (!opened.items)
			return cli_fail(-ENOMEM, "out of memory");
		for (int i = 0; i < n && status == CLI_OK; i++)
			status = add(names[i], true, flags, &opened);
	}
	if (status != CLI_OK)
		cli_filters_close(&opened);
	else
		*filters = opened;
	return status;
}

void cli_filters_close(struct cli_filters *filters)
{
	for (size_t i = 0; i < filters->n_items; i++) {
		sl_attachment_close(&filters->items[i].attachment);
		if (filters->items[i].ours)
			sl_filter_close(&filters->items[i].filter);
	}
	free(filters->items);
	*filters = (struct cli_filters){ 0 };
}

char (*cli_filters_names(char **arguments, int n_arguments, size_t *n,
			 int *status))[IF_NAMESIZE]
{
	struct cli_filters filters = { 0 };
	char(*names)[IF_NAMESIZE];

	*status = cli_filters_open(arguments, n_arguments, 0, &filters);
	if (*status != CLI_OK)
		return NULL;
	*n = filters.n_items;
	names = calloc(*n + 1, sizeof(*names));
	for (size_t i = 0; names && i < *n; i++)
		memcpy(names[i], filters.items[i].attachment.interface,
		       sizeof(names[i]));
	cli_filters_close(&filters);
	if (!names)
		*status = cli_fail(-ENOMEM, "out of memory");
	return names;
}
