/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef SLUICE_RTNL_H
#define SLUICE_RTNL_H

#include <libmnl/libmnl.h>

/*
 * Puts one question about one object to rtnetlink, in the caller's network
 * namespace, and its one answer to `answer` with `context`. `question` is whole but
 * for its flags. 0 or -errno; what `answer` has written by then stands.
 */
int sl_rtnl_ask(struct nlmsghdr *question, mnl_cb_t answer, void *context);

#endif /* SLUICE_RTNL_H */
