// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "applied.h"
#include "cli.h"
#include "options.h"
#include "lib/error.h"
#include "lib/extend.h"
#include "lib/extension.h"
#include "lib/jsontext.h"

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

static int run_change(const struct cli_request *request,
		      const struct sl_extension_change *change)
{
	const char *what = change->path ? "loaded" : "unloaded";
	const char *side = change->after ? "after" : "before";
	struct sl_error error = { "" };
	struct sl_applied *applied;
	size_t n;
	int status, err = sl_extend(request->interface, change, &applied, &n,
				    &error);

	if (err)
		return fail(err, &error);
	if (request->json) {
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

static int ext_load(const struct cli_request *request)
{
	struct sl_extension_change change = { .path = request->arguments[2] };
	int status = read_slot(request->arguments, &change);

	return status == CLI_OK ? run_change(request, &change) : status;
}

static int ext_unload(const struct cli_request *request)
{
	struct sl_extension_change change = { 0 };
	int status = read_slot(request->arguments, &change);

	return status == CLI_OK ? run_change(request, &change) : status;
}

static json_t *entry_json(const struct sl_extend_entry *e)
{
	return json_pack("{s:o, s:s, s:I, s:s, s:I, s:s}", "interface",
			 sl_json_text(e->interface), "side",
			 e->after ? "after" : "before", "slot",
			 (json_int_t)e->slot, "program", e->name, "program_id",
			 (json_int_t)e->prog_id, "owner",
			 e->from_file ? "config" : "live");
}

static int ext_list(const struct cli_request *request)
{
	struct sl_error error = { "" };
	struct sl_extend_entry *entries;
	json_t *list = json_array();
	size_t n;
	int err = sl_extend_list(request->interface, &entries, &n, &error);

	if (err) {
		json_decref(list);
		return fail(err, &error);
	}
	for (size_t i = 0; i < n; i++) {
		const struct sl_extend_entry *e = &entries[i];

		json_array_append_new(list, entry_json(e));
		if (!request->json)
			printf("%-15s %-6s %2u  %-15s id %-8u %s\n",
			       e->interface, e->after ? "after" : "before",
			       e->slot, e->name, e->prog_id,
			       e->from_file ? "config" : "live");
	}
	free(entries);
	if (request->json)
		return cli_print_json(json_pack("{s:o}", "extensions", list));
	json_decref(list);
	if (!n)
		puts("no extension is loaded");
	return fflush(stdout) == 0 ? CLI_OK : CLI_SYSTEM;
}

int cli_ext(const struct cli_command *command, int argc, char **argv)
{
	static const struct cli_verb verbs[] = {
		{ "load", CLI_TAKES_INTERFACE, 3, 3, ext_load },
		{ "unload", CLI_TAKES_INTERFACE, 2, 2, ext_unload },
		{ "list", CLI_TAKES_INTERFACE | CLI_NAMES_INTERFACE, 0, 1,
		  ext_list },
		{ 0 }
	};

	return cli_verbs_run(command, verbs, argc, argv);
}
