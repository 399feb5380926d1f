/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The rows of `sluice tune`, for people and for programs. */
#ifndef SLUICE_CLI_TUNE_PRINT_H
#define SLUICE_CLI_TUNE_PRINT_H

#include <stdbool.h>

struct sl_tune_journal;
struct sl_tune_list;

/*
 * The rows, and, unless `journal` is NULL, whether they are to be confirmed. The
 * exit status of printing.
 */
int cli_tune_print(const struct sl_tune_list *list,
		   const struct sl_tune_journal *journal, bool json);

#endif /* SLUICE_CLI_TUNE_PRINT_H */
