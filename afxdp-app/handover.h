/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How a data plane goes on where another one stops, on the same frames and sockets, without
 * a packet lost: what comes in meanwhile waits on the RX rings. All that takes time, or that may
 * fail, is done while the old one forwards.
 *
 *   1. the new data plane gets the descriptors of UMEM and sockets and maps them; it opens its
 *      stages, gives up its privileges, and stands by
 *   2. the old one stops its workers at the end of a round. No frame is in RX or STAGE then, and
 *      the rings say all about themselves; what they do not say (the counts, what each port
 *      has out, the counters) it writes into a record, a file in memory
 *   3. the new one reads the record, has the ledger audited before it uses a frame, empties the
 *      record, and starts its workers
 *
 * A record is good for one: who finds it empty does not touch the frames, which are another's.
 *
 * Between agents (--takeover) the descriptors go over the control socket (control.h), after the
 * new one has shown that its plan is the same.
 */
#ifndef SLUICE_FWD_HANDOVER_H
#define SLUICE_FWD_HANDOVER_H

#include <stddef.h>
#include <stdint.h>

struct sl_fwd;

/* The moment when the workers were told to stop. */
struct sl_handover_stop {
	uint64_t ns;   /* CLOCK_MONOTONIC */
	uint64_t lost; /* packets, on the RX rings of all sockets, until then */
};

/* Data plane, workers stopped: writes the record and closes `fd`. 0 or -errno. */
int sl_handover_record(const struct sl_fwd *fwd,
		       const struct sl_handover_stop *stop, int fd);

/*
 * Data plane, standing by: maps frames and rings of *fwd, whose descriptors are another's and
 * in use there. 0 or -errno, said.
 */
int sl_handover_map(struct sl_fwd *fwd);

/*
 * After that, before its threads: reads the record and closes it; *stop as above. 0 and the
 * frames are ours, or -errno, said, and nothing was changed for who comes next.
 */
int sl_handover_adopt(struct sl_fwd *fwd, int record_fd,
		      struct sl_handover_stop *stop);

/* Whether this kernel maps the rings of a bound socket, tried on one of fwd's. Agent. */
int sl_handover_possible(const struct sl_fwd *fwd);

/* Agent, in one process: the frames and sockets of `from` become those of `to`, its like. */
void sl_handover_move(struct sl_fwd *to, struct sl_fwd *from);

/*
 * Agent to agent. What a plan comes down to, to compare: an allocated text, or NULL. Two that
 * are equal are alike (sl_fwd_alike()), of the same build of the rings.
 */
char *sl_handover_describe(const struct sl_fwd *fwd);

/* Sends the descriptors of UMEM and sockets over `to`, a stream socket. 0 or -errno. */
int sl_handover_send(const struct sl_fwd *fwd, int to);

/* Receives them into *fwd, which is prepared and has neither. 0, or -errno and it is unchanged. */
int sl_handover_receive(struct sl_fwd *fwd, int from);

/* The same with the record's, which is the caller's to close. */
int sl_handover_record_send(int record_fd, int to);
int sl_handover_record_receive(int from, int *record_fd);

#endif /* SLUICE_FWD_HANDOVER_H */
