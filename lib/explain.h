/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Asking a loaded filter what it would do with a packet, without it counting
 * or doing anything (struct sl_probe in sluice/abi.h).
 */
#ifndef SLUICE_EXPLAIN_H
#define SLUICE_EXPLAIN_H

#include <stddef.h>
#include <stdint.h>

#include "sluice/abi.h"

/* The kernel runs packets of no fewer bytes than an Ethernet header. */
#define SL_EXPLAIN_BYTES_MIN 14

struct sl_attachment;
struct sl_filter;

/*
 * What a packet that the interface receives runs through: the filter's own
 * program, or the dispatcher it is under. A descriptor for the caller to close,
 * or -errno.
 */
int sl_explain_open(const struct sl_filter *filter,
		    const struct sl_attachment *attachment);

/*
 * Runs the packet through `prog_fd` (of sl_explain_open()) as if `ifindex` in
 * the caller's network namespace had received it on queue 0. 0 and the answer,
 * or -errno: -ENODATA when the filter has no configuration (it answers no
 * probes), -ERANGE when the kernel does not run a packet of that length.
 */
int sl_explain_packet(const struct sl_filter *filter, int prog_fd, int ifindex,
		      const void *packet, size_t bytes,
		      struct sl_probe *answer);

#endif /* SLUICE_EXPLAIN_H */
