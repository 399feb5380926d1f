/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Where metrics are served, as `metrics { listen "ADDRESS" }` says it. Any thread.
 */
#ifndef SLUICE_LISTEN_H
#define SLUICE_LISTEN_H

#include <stdbool.h>
#include <sys/socket.h>

struct sl_listen {
	struct sockaddr_storage address;
	socklen_t length;
};

#define SL_LISTEN_DEFAULT "127.0.0.1:9435"

/* What an address may look like, for messages. */
#define SL_LISTEN_FORMS \
	"\"ADDRESS:PORT\", \"[ADDRESS6]:PORT\" or \"/PATH\" of a Unix socket"

/*
 * "192.0.2.1:9435", "[::1]:9435", or the path of a Unix socket. Addresses are numbers: no name
 * is looked up. Port 0 is any free one. 0, or -EINVAL and *listen is unchanged.
 */
int sl_listen_parse(const char *text, struct sl_listen *listen);

/* Can only this host reach it: a loopback address (RFC 1122, RFC 4291), or a Unix socket? */
bool sl_listen_local(const struct sl_listen *listen);

#endif /* SLUICE_LISTEN_H */
