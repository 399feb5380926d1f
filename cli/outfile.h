/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A file that a command writes, by its path as the caller of the command sees it: looking for
 * filters may move the process into another mount namespace (lib/pins.h), so it is opened before.
 */
#ifndef SLUICE_CLI_OUTFILE_H
#define SLUICE_CLI_OUTFILE_H

#include <stdio.h>

/*
 * NULL or "-" is standard output. What is in the file stays until cli_outfile_begin(): what
 * comes before it may be refused. CLI_OK, and the caller closes *file unless it is stdout; or
 * CLI_SYSTEM, said on stderr, and *file is NULL.
 */
int cli_outfile_open(const char *path, FILE **file);

/* Empties it, if it is of a kind that keeps what is written. 0 or -errno. */
int cli_outfile_begin(FILE *file);

#endif /* SLUICE_CLI_OUTFILE_H */
