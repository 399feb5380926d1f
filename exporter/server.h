/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The process that speaks HTTP, and can do nothing else: no capability, no file, no new socket.
 *
 *   client -> libmicrohttpd -> server.c: which text? -> there and fresh: sent
 *                                                    -> else the client waits (suspended)
 *   reader -> channel -> texts.h: the present text -> all who wait for it go on
 *
 * Bounds: SL_CLIENTS_MAX connections, others wait in the kernel's queue; while there are so many,
 * who is without an answer for SL_CLIENT_PATIENCE_NS is closed, and always who is for
 * SL_CLIENT_MOST_NS; a request's lines fit in SL_CLIENT_BYTES; SL_TEXTS_MAX texts in memory.
 */
#ifndef SLUICE_EXPORTER_SERVER_H
#define SLUICE_EXPORTER_SERVER_H

#include <stdbool.h>

#define SL_CLIENTS_MAX 512 /* RLIMIT_NOFILE is 1024 by default */
#define SL_CLIENT_BYTES 16384
#define SL_CLIENT_PATIENCE_NS 1000000000ull
#define SL_CLIENT_MOST_NS 40000000000ull

/*
 * Serves on a listening socket until the reader is gone: 0; or -errno. `local`: only this host
 * reaches it by an address (and not by a Unix socket). Confines the process first.
 */
int sl_server_run(int listen_fd, int channel, bool local);

#endif /* SLUICE_EXPORTER_SERVER_H */
