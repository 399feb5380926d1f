/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What a change of the filters came to, interface by interface, for people and
 * for programs.
 */
#ifndef SLUICE_CLI_APPLIED_H
#define SLUICE_CLI_APPLIED_H

#include <stdbool.h>
#include <stddef.h>

struct json_t;
struct sl_applied;

/* A line for each on stdout, warnings on stderr. */
void cli_applied_print(const struct sl_applied *applied, size_t n,
		       bool dry_run);

/* An array of objects, the caller's; NULL: no memory. */
struct json_t *cli_applied_json(const struct sl_applied *applied, size_t n);

#endif /* SLUICE_CLI_APPLIED_H */
