/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * `--confirm S`: who takes a change back when nobody confirms it.
 *
 * A process of its own, started before anything is changed: it has left the
 * terminal's session, so it outlives the shell and the connection that the
 * change may have cut, and the process that makes the change if that is killed
 * in the middle. It needs no service manager, so it works in a container, a
 * network namespace and an initramfs; systemd-run would outlive more (a manager
 * that kills all processes of a session that ends, KillUserProcesses=yes, kills
 * this one), but not be there where such changes are tried.
 *
 * What waits, until when and for whom is in a file of the change's owner (tune:
 * the journal; rules: pending.h), written before the change. So when this
 * process is gone, the next command sees that and can do its work.
 */
#ifndef SLUICE_DEADMAN_H
#define SLUICE_DEADMAN_H

#include <stdbool.h>
#include <stdint.h>

struct sl_error;

struct sl_deadman {
	/* Does a change with this deadline wait? Asked each second, no lock. */
	bool (*is_needed)(int kept, uint64_t due_ns);
	/* It is due. The lock is the callee's to take, and syslog is open. */
	void (*undo)(int kept, uint64_t due_ns);
	int keep; /* a descriptor that they are given; -1: none */
};

struct sl_deadman_watch {
	uint64_t due_ns; /* CLOCK_BOOTTIME */
	int pid;
	/* The caller closes it when what is to be undone is written down: until
	 * then the process does not ask. Death closes it, too. */
	int hold;
};

/* 0 and *watch is the caller's; or -errno with a message. */
int sl_deadman_start(const struct sl_deadman *deadman, unsigned long seconds,
		     struct sl_deadman_watch *watch, struct sl_error *error);

/* Seconds until it is due; 0 or less: it is. */
long sl_deadman_seconds_left(uint64_t due_ns);

/* Does that process run? */
bool sl_deadman_runs(int pid);

#endif /* SLUICE_DEADMAN_H */
