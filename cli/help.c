// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "help.h"

#include <string.h>

#include "cli.h"
#include "complete.h"
#include "synopsis.h"

static void print_usage(const struct cli_command *command, FILE *out)
{
	const char *rest = command->arguments, *lead = "usage: ";
	char form[CLI_FORM_BYTES];

	while (cli_synopsis_form(&rest, form)) {
		fprintf(out, "%ssluice %s %s\n", lead, command->name, form);
		lead = "       ";
	}
}

void cli_help_print(FILE *out)
{
	fputs("usage: sluice COMMAND [ARGUMENT...]\n\n", out);
	for (const struct cli_command *c = cli_commands; c->name; c++)
		fprintf(out, "  %s %s\n      %s\n", c->name, c->arguments,
			c->help);
	fputs("\nExit status: 0 done, 1 the input is wrong, 2 usage, 3 the "
	      "system refused.\n",
	      out);
}

void cli_help_print_command(const struct cli_command *command, FILE *out)
{
	print_usage(command, out);
	fprintf(out, "\n  %s\n\nmore: man sluice-%s\n", command->help,
		command->name);
}

const struct cli_command *cli_help_find(const char *name)
{
	for (const struct cli_command *c = cli_commands; c->name; c++)
		if (strcmp(name, c->name) == 0)
			return c;
	return NULL;
}

int cli_help_unknown(const char *name)
{
	fprintf(stderr,
		"sluice: \"%s\" is no command; `sluice help` lists them\n",
		name);
	return CLI_USAGE;
}

int cli_usage(const struct cli_command *command)
{
	print_usage(command, stderr);
	return CLI_USAGE;
}

int cli_help(const struct cli_command *command, int argc, char **argv)
{
	const struct cli_command *about;

	if (argc > 2 && strcmp(argv[1], "--complete") == 0)
		return cli_complete(argv + 2, (size_t)argc - 2);
	if (argc > 2)
		return cli_usage(command);
	about = argc == 2 ? cli_help_find(argv[1]) : NULL;
	if (argc == 2 && !about)
		return cli_help_unknown(argv[1]);
	if (about)
		cli_help_print_command(about, stdout);
	else
		cli_help_print(stdout);
	return fflush(stdout) == 0 ? CLI_OK : CLI_SYSTEM;
}
