/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * One `sluice` at a time changes filters on this machine: two would mount two
 * bpffs over each other, or give one counter to two rules.
 */
#ifndef SLUICE_LOCK_H
#define SLUICE_LOCK_H

struct sl_error;

/*
 * Waits for the lock, some seconds at most. A descriptor to close() when done
 * (the kernel does it when the process dies), or -errno with a message that
 * names the process that holds it.
 */
int sl_lock_take(struct sl_error *error);

#endif /* SLUICE_LOCK_H */
