/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Options of the subcommands, and the verbs that some of them have:
 * `sluice COMMAND VERB [OPTION...] ARGUMENT...`.
 */
#ifndef SLUICE_CLI_OPTIONS_H
#define SLUICE_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

struct cli_command;

#define CLI_WORDS_MAX 32

/* What an option was given that may be given again and again. */
struct cli_words {
	const char *words[CLI_WORDS_MAX];
	size_t n;
};

/* A table of these ends with { 0 }. With both pointers the value may be left
 * out: `--watch`, `--watch=5`. */
struct cli_option {
	const char *name;	 /* the long form, without its dashes */
	char letter;		 /* the short form, or 0 */
	bool *flag;		 /* set to true when it is given */
	const char **value;	 /* set to what it is given */
	struct cli_words *words; /* or added to these, each time */
};

/*
 * Reads the options, and leaves optind at the first argument. CLI_OK, or
 * CLI_USAGE, said on stderr.
 */
int cli_options_read(const struct cli_command *command,
		     const struct cli_option *options, int argc, char **argv);

/* For commands whose only option is --json: sets *json. As above. */
int cli_json_option(const struct cli_command *command, int argc, char **argv,
		    bool *json);

/*
 * The number from 1 to `most` that `option` (as it is typed) was given. CLI_OK,
 * or CLI_USAGE, said on stderr.
 */
int cli_option_number(const char *option, const char *text, unsigned long most,
		      unsigned long *number);

/* What a verb was asked. */
struct cli_request {
	const char *interface; /* -i, or the argument that names one; NULL: all */
	const char *owner;     /* --owner; likewise */
	bool json;
	char **arguments;
	size_t n_arguments;
};

#define CLI_TAKES_INTERFACE 1u
#define CLI_TAKES_OWNER 2u
#define CLI_NAMES_INTERFACE 4u /* its argument is what -i is, too */

/* A table of these ends with { 0 }. */
struct cli_verb {
	const char *name;
	unsigned takes;	    /* options besides --json */
	size_t least, most; /* arguments */
	int (*run)(const struct cli_request *request);
};

/*
 * Runs the verb that the command line names, if the interface that it names is
 * there. The exit status.
 */
int cli_verbs_run(const struct cli_command *command,
		  const struct cli_verb *verbs, int argc, char **argv);

#endif /* SLUICE_CLI_OPTIONS_H */
