/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Putting back what ran before a change (pending.h). */
#ifndef SLUICE_RESTORE_H
#define SLUICE_RESTORE_H

struct sl_befores;
struct sl_error;

/*
 * Puts it back on the interfaces that are still there, also when one of them
 * refuses; each change is noted (audit.h) as `action`. `file` is where relative
 * paths begin. The caller holds the lock. 0, or -errno with the first message.
 */
int sl_restore(const struct sl_befores *befores, const char *file,
	       const char *action, struct sl_error *error);

#endif /* SLUICE_RESTORE_H */
