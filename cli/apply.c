// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "applied.h"
#include "cli.h"
#include "filters.h"
#include "lib/apply.h"
#include "lib/config.h"
#include "lib/error.h"

/* Filters that run on, because the file no longer names their interface. */
static void warn_others(const struct sl_config *config)
{
	struct cli_filters filters;

	if (cli_filters_open(NULL, 0, 0, &filters) != CLI_OK)
		return;
	for (size_t i = 0; i < filters.n_items; i++) {
		const struct cli_filter *f = &filters.items[i];
		const char *name = f->attachment.interface;

		if (f->filter.gen.generation &&
		    !sl_config_interface(config, name))
			fprintf(stderr,
				"sluice: %s: warning: the file does not name "
				"it; its filter runs on (generation %llu): "
				"`sluice down %s` takes it off\n",
				name,
				(unsigned long long)f->filter.gen.generation,
				name);
	}
	cli_filters_close(&filters);
}

static int apply(struct sl_config *config, bool dry_run, bool json)
{
	struct sl_applied *applied =
		calloc(config->n_interfaces + 1, sizeof(*applied));
	struct sl_error error = { "" };
	int err, status = CLI_OK;

	if (!applied)
		return cli_fail(-ENOMEM, "out of memory");
	err = sl_apply(config, dry_run, applied, &error);
	if (err)
		status = cli_fail(err == -ENODEV ? -EINVAL : err, error.text);
	else if (json)
		status = cli_print_json(json_pack(
			"{s:b, s:o}", "dry_run", dry_run, "interfaces",
			cli_applied_json(applied, config->n_interfaces)));
	else
		cli_applied_print(applied, config->n_interfaces, dry_run);
	if (!err)
		warn_others(config);
	free(applied);
	return status;
}

int cli_apply(const struct cli_command *command, int argc, char **argv)
{
	static const struct option options[] = { { "json", 0, NULL, 'j' },
						 { "dry-run", 0, NULL, 'n' },
						 { 0 } };
	bool json = false, dry_run = false;
	struct sl_config *config;
	int option, status;

	while ((option = getopt_long(argc, argv, "n", options, NULL)) != -1) {
		if (option == 'j')
			json = true;
		else if (option == 'n')
			dry_run = true;
		else
			return cli_usage(command);
	}
	if (argc - optind != 1)
		return cli_usage(command);
	status = cli_read_config(argv[optind], &config);
	if (status != CLI_OK)
		return status;
	if (config->n_interfaces == 0) {
		fprintf(stderr,
			"sluice: %s: it names no interface; add `interface "
			"NAME` to say where it applies\n",
			argv[optind]);
		status = CLI_INPUT;
	} else {
		status = apply(config, dry_run, json);
	}
	sl_config_free(config);
	return status;
}
