/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Rule slots: which entry of sl_rules counts which rule. A rule's name is its
 * identity, so a rule keeps its slot, and with it its counters, across reloads.
 */
#ifndef SLUICE_SLOTS_H
#define SLUICE_SLOTS_H

struct sl_compiled;
struct sl_filter;

/*
 * Gives each rule of `compiled` its slot: the one that `previous` (NULL: none)
 * has for that name, else (and if the rule is marked fresh) one that the running
 * generation does not count in. A rule that expires gets its deadline_ns into
 * its step. Changes nothing that runs. 0 or -errno:
 * -ENOSPC when `previous` has too few slots for both generations.
 */
int sl_slots_assign(struct sl_compiled *compiled,
		    const struct sl_filter *previous);

#endif /* SLUICE_SLOTS_H */
