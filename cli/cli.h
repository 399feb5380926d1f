/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The command line: a table of subcommands, from which dispatch and help
 * follow, and what the subcommands share.
 */
#ifndef SLUICE_CLI_H
#define SLUICE_CLI_H

#include <stdio.h>

struct json_t;
struct sl_config;
struct sl_diags;

#define CLI_CONFIRM_MAX 3600 /* seconds; --confirm of rules */

enum cli_exit {
	CLI_OK = 0,
	CLI_INPUT = 1, /* the input is wrong */
	CLI_USAGE = 2,
	CLI_SYSTEM = 3, /* the system refused */
};

struct cli_command {
	const char *name;
	const char *arguments; /* as synopsis.h reads them */
	const char *help;      /* one line */
	int (*run)(const struct cli_command *command, int argc, char **argv);
};

/* The table, in the order of help; it ends with { 0 }. */
extern const struct cli_command cli_commands[];

/* Each in a file of its name. argv[0] is the subcommand. */
int cli_apply(const struct cli_command *command, int argc, char **argv);
int cli_capture(const struct cli_command *command, int argc, char **argv);
int cli_check(const struct cli_command *command, int argc, char **argv);
int cli_confirm(const struct cli_command *command, int argc, char **argv);
int cli_doctor(const struct cli_command *command, int argc, char **argv);
int cli_down(const struct cli_command *command, int argc, char **argv);
int cli_explain(const struct cli_command *command, int argc, char **argv);
int cli_export(const struct cli_command *command, int argc, char **argv);
int cli_ext(const struct cli_command *command, int argc, char **argv);
int cli_help(const struct cli_command *command, int argc, char **argv);
int cli_log(const struct cli_command *command, int argc, char **argv);
int cli_ports(const struct cli_command *command, int argc, char **argv);
int cli_rollback(const struct cli_command *command, int argc, char **argv);
int cli_rule(const struct cli_command *command, int argc, char **argv);
int cli_set(const struct cli_command *command, int argc, char **argv);
int cli_show(const struct cli_command *command, int argc, char **argv);
int cli_stats(const struct cli_command *command, int argc, char **argv);
int cli_status(const struct cli_command *command, int argc, char **argv);
int cli_top(const struct cli_command *command, int argc, char **argv);
int cli_trace(const struct cli_command *command, int argc, char **argv);
int cli_tune(const struct cli_command *command, int argc, char **argv);

/* Prints how it is called on stderr; CLI_USAGE. */
int cli_usage(const struct cli_command *command);

/*
 * Reads a configuration, prints its errors and warnings on stderr, and refuses
 * what is not effective in this version. CLI_OK and the caller's *config, or
 * the exit status.
 */
int cli_read_config(const char *path, struct sl_config **config);

/* An error of the library: one line on stderr, and the exit status for err. */
int cli_fail(int err, const char *text);

/* Writes the object as a line and drops it. 0, or -EIO: memory or the file failed. */
int cli_write_json(struct json_t *object, FILE *file);

/* Prints and drops the object; CLI_OK, or CLI_SYSTEM when memory or stdout
 * fails. */
int cli_print_json(struct json_t *object);

#endif /* SLUICE_CLI_H */
