/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * First match by asking one rule after another, straight from what the
 * operator wrote: the answer that the compiled tables must give.
 */
#ifndef SLUICE_FUZZ_LINEAR_H
#define SLUICE_FUZZ_LINEAR_H

#include <stdbool.h>

struct sl_packet;
struct sl_rule;

/* Whether the packet has what the rule asks; not whether the rule applies to
 * its interface. Live sets are not known here. */
bool linear_matches(const struct sl_rule *rule, const struct sl_packet *packet);

#endif /* SLUICE_FUZZ_LINEAR_H */
