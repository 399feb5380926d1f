/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The words of the configuration language that the parser and the printer
 * share. Each table is indexed by its enum and ends with NULL.
 */
#ifndef SLUICE_KEYWORD_H
#define SLUICE_KEYWORD_H

#include <stdbool.h>
#include <stddef.h>

extern const char *const sl_mode_words[];     /* enum sl_mode */
extern const char *const sl_attach_words[];   /* enum sl_attach */
extern const char *const sl_action_words[];   /* enum sl_action */
extern const char *const sl_proto_words[];    /* enum sl_proto */
extern const char *const sl_fragment_words[]; /* enum sl_fragment */
extern const char *const sl_option_words[];   /* by SL_OPT_* bit number */
extern const char *const sl_flag_words[];     /* by bit of the TCP flags */
extern const char *const sl_poll_words[];     /* enum sl_poll */
extern const char *const sl_zerocopy_words[]; /* enum sl_zerocopy */
extern const char *const sl_stage_words[];    /* enum sl_stage_kind */

/*
 * Whether the word, without quotes, would be read as a part of the rule where
 * `on` and `redirect` want an interface.
 */
bool sl_keyword_in_rule(const char *word, size_t length);

#endif /* SLUICE_KEYWORD_H */
