// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "cli.h"
#include "filters.h"
#include "lib/apply.h"
#include "lib/config.h"
#include "lib/error.h"

static void print_text(const struct sl_applied *a, size_t n, bool dry_run)
{
	for (size_t i = 0; i < n; i++) {
		if (a[i].note[0])
			fprintf(stderr, "sluice: %s: warning: %s\n",
				a[i].interface, a[i].note);
		if (dry_run)
			printf("%s: would run %zu rules, %zu bytes of tables\n",
			       a[i].interface, a[i].n_rules, a[i].table_bytes);
		else
			printf("%s: %s%s, generation %llu, %zu rules, %zu "
			       "bytes of tables, program id %u\n",
			       a[i].interface,
			       a[i].generic ? "generic" : "native",
			       a[i].shared ? " (shared)" : "",
			       (unsigned long long)a[i].generation,
			       a[i].n_rules, a[i].table_bytes, a[i].prog_id);
	}
}

static int print_json(const struct sl_applied *a, size_t n, bool dry_run)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(
			list,
			json_pack("{s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:s?}",
				  "name", a[i].interface, "mode",
				  a[i].generic ? "generic" : "native", "shared",
				  a[i].shared, "program_id",
				  (json_int_t)a[i].prog_id, "generation",
				  (json_int_t)a[i].generation, "rules",
				  (json_int_t)a[i].n_rules, "table_bytes",
				  (json_int_t)a[i].table_bytes, "note",
				  a[i].note[0] ? a[i].note : NULL));
	return cli_print_json(json_pack("{s:b, s:o}", "dry_run", dry_run,
					"interfaces", list));
}

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

static int apply(const struct sl_config *config, bool dry_run, bool json)
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
		status = print_json(applied, config->n_interfaces, dry_run);
	else
		print_text(applied, config->n_interfaces, dry_run);
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
