/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* How commands that read until they are told to end are told. */
#ifndef SLUICE_CLI_SIGNALS_H
#define SLUICE_CLI_SIGNALS_H

#include <stdbool.h>

/*
 * From now on SIGINT and SIGTERM are asked for with cli_stopped(), and cut no write short; a
 * second one of a kind ends the process, also in a write that hangs.
 */
void cli_catch_signals(void);
bool cli_stopped(void);

#endif /* SLUICE_CLI_SIGNALS_H */
