// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "applied.h"
#include "cli.h"
#include "lib/error.h"
#include "lib/extend.h"
#include "lib/extension.h"

struct ext_options {
	const char *interface; /* NULL: not given */
	bool json;
	char **arguments; /* the rest */
	size_t n_arguments;
};

static int fail(int err, const struct sl_error *error)
{
	return cli_fail(err, error->text);
}

/* "before 3" as two arguments; CLI_OK, or CLI_INPUT, said on stderr. */
static int read_slot(char **arguments, struct sl_extension_change *change)
{
	unsigned long slot;
	char *end;

	change->after = strcmp(arguments[0], "after") == 0;
	errno = 0;
	slot = strtoul(arguments[1], &end, 10);
	if ((!change->after && strcmp(arguments[0], "before") != 0) ||
	    arguments[1][0] < '0' || arguments[1][0] > '9' || *end || errno ||
	    slot >= SL_EXT_SLOTS) {
		fprintf(stderr,
			"sluice: %s %s: expected a slot: `before N` or `after "
			"N`, N from 0 to %d\n",
			arguments[0], arguments[1], SL_EXT_SLOTS - 1);
		return CLI_INPUT;
	}
	change->slot = (uint32_t)slot;
	return CLI_OK;
}

static int run_change(const struct ext_options *options,
		      const struct sl_extension_change *change)
{
	const char *what = change->path ? "loaded" : "unloaded";
	const char *side = change->after ? "after" : "before";
	struct sl_error error = { "" };
	struct sl_applied *applied;
	size_t n;
	int status, err = sl_extend(options->interface, change, &applied, &n,
				    &error);

	if (err)
		return fail(err, &error);
	if (options->json) {
		status = cli_print_json(
			json_pack("{s:{s:s, s:I}, s:o}", what, "side", side,
				  "slot", (json_int_t)change->slot,
				  "interfaces", cli_applied_json(applied, n)));
	} else {
		printf("%s %u %s\n", side, change->slot, what);
		cli_applied_print(applied, n, false);
		status = fflush(stdout) == 0 ? CLI_OK : CLI_SYSTEM;
	}
	free(applied);
	return status;
}

static int ext_load(const struct ext_options *options)
{
	struct sl_extension_change change = { .path = options->arguments[2] };
	int status = read_slot(options->arguments, &change);

	return status == CLI_OK ? run_change(options, &change) : status;
}

static int ext_unload(const struct ext_options *options)
{
	struct sl_extension_change change = { 0 };
	int status = read_slot(options->arguments, &change);

	return status == CLI_OK ? run_change(options, &change) : status;
}

static json_t *entry_json(const struct sl_extend_entry *e)
{
	return json_pack("{s:s, s:s, s:I, s:s, s:I, s:s}", "interface",
			 e->interface, "side", e->after ? "after" : "before",
			 "slot", (json_int_t)e->slot, "program", e->name,
			 "program_id", (json_int_t)e->prog_id, "owner",
			 e->from_file ? "config" : "live");
}

static int ext_list(const struct ext_options *options)
{
	const char *interface = options->n_arguments ? options->arguments[0] :
						       options->interface;
	struct sl_error error = { "" };
	struct sl_extend_entry *entries;
	json_t *list = json_array();
	size_t n;
	int err = sl_extend_list(interface, &entries, &n, &error);

	if (err) {
		json_decref(list);
		return fail(err, &error);
	}
	for (size_t i = 0; i < n; i++) {
		const struct sl_extend_entry *e = &entries[i];

		json_array_append_new(list, entry_json(e));
		if (!options->json)
			printf("%-15s %-6s %2u  %-15s id %-8u %s\n",
			       e->interface, e->after ? "after" : "before",
			       e->slot, e->name, e->prog_id,
			       e->from_file ? "config" : "live");
	}
	free(entries);
	if (options->json)
		return cli_print_json(json_pack("{s:o}", "extensions", list));
	json_decref(list);
	return fflush(stdout) == 0 ? CLI_OK : CLI_SYSTEM;
}

static const struct {
	const char *name;
	size_t least, most; /* arguments */
	int (*run)(const struct ext_options *options);
} verbs[] = {
	{ "load", 3, 3, ext_load },
	{ "unload", 2, 2, ext_unload },
	{ "list", 0, 1, ext_list },
};

#define N_VERBS (sizeof(verbs) / sizeof(*verbs))

int cli_ext(const struct cli_command *command, int argc, char **argv)
{
	static const struct option long_options[] = { { "json", 0, NULL, 'j' },
						      { 0 } };
	struct ext_options options = { 0 };
	int option;

	while ((option = getopt_long(argc, argv, "i:", long_options, NULL)) !=
	       -1) {
		if (option == 'j')
			options.json = true;
		else if (option == 'i')
			options.interface = optarg;
		else
			return cli_usage(command);
	}
	if (optind == argc)
		return cli_usage(command);
	options.arguments = argv + optind + 1;
	options.n_arguments = (size_t)(argc - optind - 1);
	for (size_t i = 0; i < N_VERBS; i++)
		if (strcmp(verbs[i].name, argv[optind]) == 0 &&
		    options.n_arguments >= verbs[i].least &&
		    options.n_arguments <= verbs[i].most)
			return verbs[i].run(&options);
	return cli_usage(command);
}
