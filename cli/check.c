// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include <getopt.h>
#include <stdio.h>

#include <jansson.h>

#include "cli.h"
#include "lib/compile.h"
#include "lib/config.h"
#include "lib/error.h"

static void print_text(const char *interface, const struct sl_compiled *c)
{
	printf("%s: %zu rules, %u bytes of tables", interface, c->n_rules,
	       c->gen.table_bytes);
	for (unsigned f = 0; f < SL_FIELD_COUNT; f++)
		if (c->classes[f])
			printf("%s%s %zu",
			       c->gen.want & ((1u << f) - 1) ? ", " :
							       "; classes: ",
			       sl_field_text(f), c->classes[f]);
	putchar('\n');
}

static json_t *to_json(const char *interface, const struct sl_compiled *c)
{
	json_t *classes = json_object();

	for (unsigned f = 0; f < SL_FIELD_COUNT; f++)
		if (c->classes[f])
			json_object_set_new(
				classes, sl_field_text(f),
				json_integer((json_int_t)c->classes[f]));
	return json_pack("{s:s, s:I, s:I, s:o}", "name", interface, "rules",
			 (json_int_t)c->n_rules, "table_bytes",
			 (json_int_t)c->gen.table_bytes, "classes", classes);
}

static int check_interface(const struct sl_config *config, const char *name,
			   json_t *list)
{
	struct sl_compiled *compiled = NULL;
	struct sl_error error = { "" };
	int err = sl_compile(config, name, &compiled, &error);

	if (err)
		return cli_fail(err, error.text);
	if (list)
		json_array_append_new(list, to_json(name, compiled));
	else
		print_text(name, compiled);
	sl_compiled_free(compiled);
	return CLI_OK;
}

static int check(const struct sl_config *config, const char *path, bool json)
{
	json_t *list = json ? json_array() : NULL;
	int status = CLI_OK;

	for (size_t i = 0; i < config->n_interfaces && status == CLI_OK; i++)
		status = check_interface(config, config->interfaces[i].name,
					 list);
	if (status != CLI_OK) {
		json_decref(list);
		return status;
	}
	if (!json) {
		printf("%s: %zu interfaces, %zu rules, %zu sets: correct\n",
		       path, config->n_interfaces, config->n_rules,
		       config->n_sets);
		return CLI_OK;
	}
	return cli_print_json(
		json_pack("{s:s, s:o}", "file", path, "interfaces", list));
}

int cli_check(const struct cli_command *command, int argc, char **argv)
{
	struct sl_config *config;
	bool json;
	int status;

	if (cli_json_option(command, argc, argv, &json) != CLI_OK)
		return CLI_USAGE;
	if (argc - optind != 1)
		return cli_usage(command);
	status = cli_read_config(argv[optind], &config);
	if (status != CLI_OK)
		return status;
	status = check(config, argv[optind], json);
	sl_config_free(config);
	return status;
}
