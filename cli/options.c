// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define OPTIONS_MAX 10 /* of one command; each has its row in the help */
#define LONG_ONLY 256  /* from here on values that are no character */

static int argument_kind(const struct cli_option *option)
{
	if (option->words)
		return required_argument;
	if (!option->value)
		return no_argument;
	return option->flag ? optional_argument : required_argument;
}

/* What getopt_long() asks for; how many there are. */
static size_t describe(const struct cli_option *options, struct option *longs,
		       char *letters)
{
	size_t n;

	for (n = 0; n < OPTIONS_MAX && options[n].name; n++) {
		int kind = argument_kind(&options[n]);

		longs[n] = (struct option){ options[n].name, kind, NULL,
					    LONG_ONLY + (int)n };
		if (!options[n].letter)
			continue;
		*letters++ = options[n].letter;
		for (int i = 0; i < kind; i++)
			*letters++ = ':';
	}
	return n;
}

static const struct cli_option *find(const struct cli_option *options, size_t n,
				     int got)
{
	for (size_t i = 0; i < n; i++)
		if (got == LONG_ONLY + (int)i ||
		    (options[i].letter && got == options[i].letter))
			return &options[i];
	return NULL;
}

int cli_options_read(const struct cli_command *command,
		     const struct cli_option *options, int argc, char **argv)
{
	struct option longs[OPTIONS_MAX + 1] = { 0 };
	char letters[3 * OPTIONS_MAX + 1] = "", name[32];
	size_t n = describe(options, longs, letters);
	int got;

	/* How getopt_long() begins its messages. */
	snprintf(name, sizeof(name), "sluice %s", command->name);
	argv[0] = name;
	while ((got = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		const struct cli_option *option = find(options, n, got);

		if (!option)
			return cli_usage(command);
		if (option->flag)
			*option->flag = true;
		if (option->value)
			*option->value = optarg;
		if (option->words && option->words->n == CLI_WORDS_MAX)
			return cli_usage(command);
		if (option->words)
			option->words->words[option->words->n++] = optarg;
	}
	return CLI_OK;
}

int cli_json_option(const struct cli_command *command, int argc, char **argv,
		    bool *json)
{
	const struct cli_option options[] = { { "json", .flag = json }, { 0 } };

	*json = false;
	return cli_options_read(command, options, argc, argv);
}

int cli_option_number(const char *option, const char *text, unsigned long most,
		      unsigned long *number)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (*end || *text < '0' || *text > '9' || errno || value < 1 ||
	    value > most) {
		fprintf(stderr, "sluice: %s %s: expected a number from 1",
			option, text);
		if (most < ULONG_MAX)
			fprintf(stderr, " to %lu", most);
		fputc('\n', stderr);
		return CLI_USAGE;
	}
	*number = value;
	return CLI_OK;
}

static int unknown_verb(const struct cli_command *command,
			const struct cli_verb *verbs, const char *word)
{
	fprintf(stderr, "sluice: %s: expected", command->name);
	for (size_t i = 0; verbs[i].name; i++)
		fprintf(stderr, "%s \"%s\"",
			i == 0		  ? "" :
			verbs[i + 1].name ? "," :
					    " or",
			verbs[i].name);
	fprintf(stderr, ", not \"%s\"\n", word);
	return cli_usage(command);
}

static bool fits(const struct cli_verb *verb, const struct cli_request *request)
{
	return request->n_arguments >= verb->least &&
	       request->n_arguments <= verb->most &&
	       (!request->interface || verb->takes & CLI_TAKES_INTERFACE) &&
	       (!request->owner || verb->takes & CLI_TAKES_OWNER);
}

static int run_verb(const struct cli_verb *verb, struct cli_request *request)
{
	if (verb->takes & CLI_NAMES_INTERFACE && request->n_arguments)
		request->interface = request->arguments[0];
	if (request->interface && !if_nametoindex(request->interface)) {
		fprintf(stderr,
			"sluice: %s: no such interface in this network "
			"namespace; `ip link` lists those there are\n",
			request->interface);
		return CLI_INPUT;
	}
	return verb->run(request);
}

int cli_verbs_run(const struct cli_command *command,
		  const struct cli_verb *verbs, int argc, char **argv)
{
	struct cli_request request = { 0 };
	const struct cli_option options[] = {
		{ "json", .flag = &request.json },
		{ "interface", 'i', .value = &request.interface },
		{ "owner", .value = &request.owner },
		{ 0 }
	};

	if (cli_options_read(command, options, argc, argv) != CLI_OK)
		return CLI_USAGE;
	if (optind == argc)
		return cli_usage(command);
	request.arguments = argv + optind + 1;
	request.n_arguments = (size_t)(argc - optind - 1);
	for (size_t i = 0; verbs[i].name; i++)
		if (strcmp(verbs[i].name, argv[optind]) == 0)
			return fits(&verbs[i], &request) ?
				       run_verb(&verbs[i], &request) :
				       cli_usage(command);
	return unknown_verb(command, verbs, argv[optind]);
}
