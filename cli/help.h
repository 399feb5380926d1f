/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the table of commands says, in words. */
#ifndef SLUICE_CLI_HELP_H
#define SLUICE_CLI_HELP_H

#include <stdio.h>

struct cli_command;

/* All commands. */
void cli_help_print(FILE *out);

/* One of them: how it is called, what it does, where more is said. */
void cli_help_print_command(const struct cli_command *command, FILE *out);

/* The row of that name, or NULL. */
const struct cli_command *cli_help_find(const char *name);

/* Says on stderr that there is none; CLI_USAGE. */
int cli_help_unknown(const char *name);

#endif /* SLUICE_CLI_HELP_H */
