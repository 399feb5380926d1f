/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How a data plane goes on where another one stopped, on the same frames and sockets, without
 * a packet lost: what comes in meanwhile waits on the RX rings.
 *
 *   1. the old data plane stops its workers at the end of a round. No frame is in RX or STAGE
 *      then, and the rings say all about themselves; what they do not say (the counts, what
 *      each port has out, the counters) it writes into a record, a file in memory
 *   2. the old agent has, or sends, the descriptors: UMEM, sockets, record
 *   3. the new data plane maps UMEM and rings, reads the record, and has the ledger audited
 *      before it uses a frame
 *
 * Between agents (--takeover) the descriptors go over the control socket (control.h), behind a
 * line of JSON, after the new one has shown that its plan is the same.
 */
#ifndef SLUICE_FWD_HANDOVER_H
#define SLUICE_FWD_HANDOVER_H

#include <stddef.h>

struct sl_fwd;

/* Data plane, workers stopped: writes the record and closes `fd`. 0 or -errno. */
int sl_handover_record(const struct sl_fwd *fwd, int fd);

/*
 * Data plane, before its threads: maps frames and rings of *fwd, whose descriptors are another's,
 * and reads the record. 0 or -errno, said; then nothing was changed for who comes next.
 */
int sl_handover_adopt(struct sl_fwd *fwd, int record_fd);

/* Whether this kernel maps the rings of a bound socket, tried on one of fwd's. Agent. */
int sl_handover_possible(const struct sl_fwd *fwd);

/* Agent, in one process: the frames and sockets of `from` become those of `to`, its like. */
void sl_handover_move(struct sl_fwd *to, struct sl_fwd *from);

/*
 * Agent to agent. What a plan comes down to, to compare: an allocated text, or NULL. Two that
 * are equal are alike (sl_fwd_alike()), of the same build of the rings.
 */
char *sl_handover_describe(const struct sl_fwd *fwd);

/* Sends the descriptors and the record's over `to`, a stream socket. 0 or -errno. */
int sl_handover_send(const struct sl_fwd *fwd, int record_fd, int to);

/*
 * Receives them into *fwd, which is prepared and has neither. 0 and *record_fd is the caller's
 * to close, or -errno and *fwd is unchanged.
 */
int sl_handover_receive(struct sl_fwd *fwd, int from, int *record_fd);

#endif /* SLUICE_FWD_HANDOVER_H */
