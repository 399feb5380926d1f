/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What a configuration would change of what runs, for people and programs. */
#ifndef SLUICE_CLI_DIFFERENCE_H
#define SLUICE_CLI_DIFFERENCE_H

struct json_t;
struct sl_befores;
struct sl_config;

/*
 * Against each text in turn; `config` has no other owner's live rules yet. CLI_OK,
 * or the exit status, said on stderr. On stdout, or with `list` as an object each
 * in that array.
 */
int cli_difference_show(const struct sl_befores *befores,
			const struct sl_config *config, struct json_t *list);

#endif /* SLUICE_CLI_DIFFERENCE_H */
