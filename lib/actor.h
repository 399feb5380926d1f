/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Who runs this command, from where: what the lock, the history and the audit
 * line say. Names are those of the environment; the numbers are the kernel's. No
 * name service is asked: it may be behind the filter.
 */
#ifndef SLUICE_ACTOR_H
#define SLUICE_ACTOR_H

#include <stddef.h>
#include <stdint.h>

#define SL_ACTOR_TEXT 256 /* bytes of sl_actor_print() */

struct sl_actor {
	uint32_t uid;
	uint32_t login_uid; /* UINT32_MAX: the kernel does not tell */
	char user[64];	    /* SUDO_USER, else LOGNAME, else a word */
	char sudo_user[64]; /* "": not by sudo */
	char tty[64];	    /* "": none */
	/* SSH_CONNECTION of this process or, for sudo drops it, of the nearest
	 * ancestor that has it: "CLIENT PORT SERVER PORT"; "": none. */
	char ssh[160];
	char command[512]; /* cut, without control characters */
};

void sl_actor_read(struct sl_actor *actor);

/* "alice (uid 0) on /dev/pts/3 from 192.0.2.9" */
void sl_actor_print(const struct sl_actor *actor, char *text, size_t bytes);

#endif /* SLUICE_ACTOR_H */
