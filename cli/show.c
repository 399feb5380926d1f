// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "filters.h"
#include "lib/config.h"
#include "lib/observe.h"

/* Shows the whole language, also what this version does not carry out. */
static int show_file(const char *path)
{
	struct sl_diags diags = { 0 };
	struct sl_config *config;
	int err = sl_config_read(path, &diags, &config);

	sl_diags_print(&diags, stderr);
	sl_diags_fini(&diags);
	if (err)
		return err == -EINVAL ? CLI_INPUT :
					cli_fail(err, strerror(-err));
	err = sl_config_print(config, 0, stdout);
	sl_config_free(config);
	if (err || fflush(stdout) != 0)
		return cli_fail(-EIO, "cannot write the configuration");
	return CLI_OK;
}

/* Interfaces that run the same text are shown together. */
static void show_text(char **texts, const struct cli_filters *filters,
		      size_t first)
{
	fputs("# loaded on", stdout);
	for (size_t i = first; i < filters->n_items; i++)
		if (texts[i] && strcmp(texts[i], texts[first]) == 0)
			printf(" %s", filters->items[i].attachment.interface);
	printf("\n%s", texts[first]);
	for (size_t i = filters->n_items; i-- > first;) {
		if (texts[i] && strcmp(texts[i], texts[first]) == 0) {
			free(texts[i]);
			texts[i] = NULL;
		}
	}
}

static int show_loaded(void)
{
	struct cli_filters filters;
	char **texts;
	int status = cli_filters_open(NULL, 0, 0, &filters);

	if (status != CLI_OK)
		return status;
	texts = calloc(filters.n_items + 1, sizeof(*texts));
	if (!texts) {
		cli_filters_close(&filters);
		return cli_fail(-ENOMEM, "out of memory");
	}
	if (filters.n_items == 0)
		puts("# no filter is attached in this network namespace");
	for (size_t i = 0; i < filters.n_items; i++) {
		texts[i] = sl_filter_text(&filters.items[i].filter);
		if (!texts[i])
			printf("# %s: attached without a configuration: "
			       "counts and passes\n",
			       filters.items[i].attachment.interface);
	}
	for (size_t i = 0; i < filters.n_items; i++)
		if (texts[i])
			show_text(texts, &filters, i);
	free(texts);
	cli_filters_close(&filters);
	return CLI_OK;
}

int cli_show(const struct cli_command *command, int argc, char **argv)
{
	static const struct option options[] = { { 0 } };

	if (getopt_long(argc, argv, "", options, NULL) != -1 ||
	    argc - optind > 1)
		return cli_usage(command);
	return argc > optind ? show_file(argv[optind]) : show_loaded();
}
