/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What changes around a running forwarder: links, queues, filters. Main thread. */
#ifndef SLUICE_FWD_WATCH_H
#define SLUICE_FWD_WATCH_H

#include <stdbool.h>
#include <stdint.h>

struct sl_fwd;
struct sl_fwd_filter;
struct sl_fwd_iface;

/*
 * Looks after links and filters: call it about once a second, and when a link changed. A
 * filter that was attached anew gets the sockets again. *reopen: the interfaces are all there, and
 * other sockets would fit them: queues have changed, or one that was gone is back with its
 * filter. False when every interface is gone.
 */
bool sl_fwd_watch(struct sl_fwd *fwd, bool *reopen);

/*
 * Puts the sockets of interface `iface` into the filter's XSKMAP. 0 or -errno (-E2BIG: the map
 * has not as many entries); then some of them may be in it.
 */
int sl_fwd_watch_insert(const struct sl_fwd *fwd, uint32_t iface,
			const struct sl_fwd_filter *filter);

/*
 * Says why sl_fwd_filter_open() or sl_fwd_watch_insert() failed for the program (0: none) on
 * this interface.
 */
void sl_fwd_watch_filter_say(const struct sl_fwd_iface *iface,
			     uint32_t program_id, int err);

/* Tells the workers which ports can send, as of the last look at the interfaces. */
void sl_fwd_watch_links(struct sl_fwd *fwd);

/*
 * Says, once for an interface, that packets of its MTU are lost: they take several buffers, and
 * its sockets take one.
 */
void sl_fwd_watch_mtu(struct sl_fwd *fwd);

#endif /* SLUICE_FWD_WATCH_H */
