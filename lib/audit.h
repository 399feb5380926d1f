/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * One line for each change: who, what, from where, and the generation before
 * and after on each interface. To the journal with fields, by its native
 * protocol; where no journal runs, to syslog without them.
 */
#ifndef SLUICE_AUDIT_H
#define SLUICE_AUDIT_H

#include <net/if.h>
#include <stddef.h>
#include <stdint.h>

struct sl_applied;

/* What one interface ran and runs; 0: no filter. */
struct sl_audit_change {
	char interface[IF_NAMESIZE];
	uint64_t before, after;
};

/*
 * `action` is a word or two ("apply", "rule add", "automatic rollback"); the
 * rest is found out here. Never fails, never waits: a full journal loses it.
 */
void sl_audit(const char *action, const struct sl_audit_change *changes,
	      size_t n);

/* The same for what apply.h tells of. */
void sl_audit_applied(const char *action, const struct sl_applied *applied,
		      size_t n);

#endif /* SLUICE_AUDIT_H */
