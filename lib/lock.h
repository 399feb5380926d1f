/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * One `sluice` at a time changes filters on this machine: two would mount two
 * bpffs over each other, or give one counter to two rules.
 */
#ifndef SLUICE_LOCK_H
#define SLUICE_LOCK_H

#include <signal.h>

struct sl_error;

struct sl_lock {
	int fd;
	sigset_t mask; /* of signals, before the lock was taken */
};

/*
 * Waits for the lock, ten seconds at most; who came first is woken first. The
 * wait takes SIGALRM for itself, so no other thread may have it unblocked. 0 and
 * the caller releases *lock (the kernel does when the process dies); or -errno
 * with a message: -EBUSY names the process that holds it, who started it, when and how. Whoever holds it is not
 * interrupted: SIGINT, SIGTERM, SIGHUP and SIGPIPE wait, in the calling thread,
 * until it is released, so that no change stops in the middle.
 */
int sl_lock_take(struct sl_lock *lock, struct sl_error *error);
void sl_lock_release(struct sl_lock *lock);

/*
 * The same for another lock, a file below /run/sluice whose directory is there,
 * without waiting: -EBUSY and, if it is known, the process that holds it in
 * *holder (else 0); or another -errno. No message.
 */
int sl_lock_try(const char *path, struct sl_lock *lock, int *holder);

#endif /* SLUICE_LOCK_H */
