/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The socket that is listened on: our own, or one that systemd passed (sd_listen_fds(3)). */
#ifndef SLUICE_EXPORTER_SOCKET_H
#define SLUICE_EXPORTER_SOCKET_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/listen.h"

struct sl_error;

struct sl_socket {
	int fd;
	bool passed; /* systemd's */
	struct sl_listen at;
	int directory_fd; /* of a Unix socket of ours; -1: none */
	char name[128];	  /* how it is called, for people */
};

/*
 * Takes what was passed, else listens at `at`. A Unix socket is for this user, and for
 * `group` unless that is -1; one that nobody listens on any more is replaced. 0 and the caller's
 * to close, or -errno with a message.
 */
int sl_socket_open(struct sl_socket *opened, const struct sl_listen *at,
		   gid_t group, struct sl_error *error);

/* Closes it; a Unix socket of ours is taken away. */
void sl_socket_close(struct sl_socket *opened);

#endif /* SLUICE_EXPORTER_SOCKET_H */
