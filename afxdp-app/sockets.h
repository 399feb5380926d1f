/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The AF_XDP sockets of a worker, and in which mode all of them are. Main thread. */
#ifndef SLUICE_FWD_SOCKETS_H
#define SLUICE_FWD_SOCKETS_H

#include "lib/config.h"

struct sl_fwd;
struct sl_fwd_port;
struct sl_fwd_worker;

/*
 * The mode to ask for: what is configured, but no zero-copy where a driver's takes fewer buffers a
 * packet than those of the worker's highest MTU have: some kernels grant it even so, and the
 * driver drops. 0 and *zerocopy is set, or -EOPNOTSUPP (`zero-copy require`); both are said.
 */
int sl_fwd_sockets_mode(const struct sl_fwd *fwd,
			const struct sl_fwd_worker *worker,
			enum sl_zerocopy *zerocopy);

/*
 * Opens the socket of each port; the first one registers the UMEM. Sockets on one UMEM are of one
 * mode: what one of them cannot, none does. 0 or -errno, which was said; what is open then
 * is closed by sl_fwd_worker_fini().
 */
int sl_fwd_sockets_open(struct sl_fwd *fwd, struct sl_fwd_worker *worker);

/*
 * Why a port of the worker is in copy mode, in the word of docs/forwarder.md; NULL: it is not.
 * Either process, and also where another forwarder opened the sockets.
 */
const char *sl_fwd_sockets_copy_reason(const struct sl_fwd *fwd,
				       const struct sl_fwd_worker *worker,
				       const struct sl_fwd_port *port);

#endif /* SLUICE_FWD_SOCKETS_H */
