/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What may stand next on a command line, for the shells: `sluice help
 * --complete WORD...` prints the words that the last of WORD can become, one a
 * line; an empty line among them means that names of files can stand there,
 * too. It follows the table, so a shell's part has no command in it
 * (config/completion).
 */
#ifndef SLUICE_CLI_COMPLETE_H
#define SLUICE_CLI_COMPLETE_H

#include <stddef.h>

/* words: n, at least one, behind `sluice`. The exit status. */
int cli_complete(char *const *words, size_t n);

#endif /* SLUICE_CLI_COMPLETE_H */
