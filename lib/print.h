/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Inside the printer; config.h declares sl_config_print(). */
#ifndef SLUICE_PRINT_H
#define SLUICE_PRINT_H

#include <stddef.h>
#include <stdio.h>

struct sl_prefix;
struct sl_rule;
struct sl_forwarder;

/* In quotes; where it need not be; a list's parts before and behind items. */
void sl_print_string(FILE *out, const char *text);
void sl_print_word(FILE *out, const char *text);
void sl_print_list_begin(FILE *out, size_t n);
void sl_print_list_next(FILE *out, size_t i, size_t n);
void sl_print_prefix(FILE *out, const struct sl_prefix *prefix);

/* print_rule.c, print_forwarder.c: a statement with its newline */
void sl_print_rule(FILE *out, const struct sl_rule *rule);
void sl_print_forwarder(FILE *out, const struct sl_forwarder *forwarder);

#endif /* SLUICE_PRINT_H */
