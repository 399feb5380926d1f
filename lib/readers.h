/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Who reads which ring of samples on this machine: one process each. A record
 * lock at offset `map id` of one file knows its holder, ends with the process,
 * and leaves no file for each ring.
 */
#ifndef SLUICE_READERS_H
#define SLUICE_READERS_H

#include <stdint.h>

struct sl_error;

/*
 * A descriptor for the calls below, or -errno with a message. One a process at
 * a time: its close(), too, ends all that the process joined.
 */
int sl_readers_open(struct sl_error *error);

/*
 * Becomes the reader of a ring, which is said to be the interface's. 0, -EBUSY
 * with a message that names the process that is, or another -errno with one.
 */
int sl_readers_join(int readers_fd, const char *interface, uint32_t ring_id,
		    struct sl_error *error);

void sl_readers_leave(int readers_fd, uint32_t ring_id);

#endif /* SLUICE_READERS_H */
