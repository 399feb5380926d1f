/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * How a command is called, as its row in the table says it. Help prints it,
 * completion follows it, and the man pages are held against it:
 *
 *   arguments := FORM { " | " FORM } [ ", each " PART... ]
 *   FORM      := [ VERB { "|" VERB } ] PART...
 *   PART      := OPTION | OPTION VALUE | OPERAND, in [ ] where it may be left
 *                out, with ... where it may be repeated
 *
 * VERB is in small letters, VALUE and OPERAND begin with a capital; an OPERAND
 * in small letters is a choice of words (`before|after`).
 */
#ifndef SLUICE_CLI_SYNOPSIS_H
#define SLUICE_CLI_SYNOPSIS_H

#include <stdbool.h>
#include <stddef.h>

#define CLI_FORM_BYTES 256
#define CLI_PART_BYTES 64

/*
 * The form at *arguments with what is said of each at its end, and *arguments
 * behind it. false: there is none left. Start from the row's.
 */
bool cli_synopsis_form(const char **arguments, char form[CLI_FORM_BYTES]);

struct cli_part {
	char word[CLI_PART_BYTES]; /* the option, the choices, or the operand */
	char value[CLI_PART_BYTES]; /* an option's, in a word of its own; or "" */
	bool repeats;
};

/* The part at *form, which is then behind it. false: there is none left. */
bool cli_synopsis_part(const char **form, struct cli_part *part);

/* Is `word` one of the words of "a|b|c"? */
bool cli_synopsis_is_choice(const char *choices, const char *word);

#endif /* SLUICE_CLI_SYNOPSIS_H */
