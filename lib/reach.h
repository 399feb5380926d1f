/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What a table of all answers (gen.dense) says of the rules. */
#ifndef SLUICE_REACH_H
#define SLUICE_REACH_H

#include <stddef.h>
#include <stdint.h>

struct sl_compiled;

/*
 * Follows each key of a compiled, not yet finished, dense generation from rule
 * to rule, and sets in `reached` (one bit a rule, zeroed by the caller; may be
 * NULL) the positions it came by. The most steps that one key took.
 */
size_t sl_reach_dense(const struct sl_compiled *compiled, uint64_t *reached);

#endif /* SLUICE_REACH_H */
