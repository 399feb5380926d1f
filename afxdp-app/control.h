/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The control socket of a running forwarder, a Unix stream socket of mode 0600:
 *
 *	/run/sluice/forwarder/NETNS-PID.sock
 *
 * NETNS is the inode of its network namespace, so that those of one namespace are found
 * by listing the directory. A connection carries one request, a line of JSON with the key
 * "request", and gets one answer, a line of JSON: with "error" if it was refused. Peers must be
 * root or the agent's own user (SO_PEERCRED). A client that is slow, silent or talks too much
 * is dropped, and holds nobody up.
 *
 * The agent's; no thread of its own, polled with the rest.
 */
#ifndef SLUICE_FWD_CONTROL_H
#define SLUICE_FWD_CONTROL_H

#include <jansson.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SL_CONTROL_CLIENTS 8u
/* A request is longer only with a plan in it, some 20 bytes a queue. */
#define SL_CONTROL_REQUEST 65536u
#define SL_CONTROL_POLLS (1u + SL_CONTROL_CLIENTS)

struct sl_control_client {
	int fd;	       /* -1: free */
	char *request; /* as far as it came; owned */
	size_t requested;
	char *answer; /* owned; NULL: none yet */
	size_t answered, answer_bytes;
	uint64_t until_ms; /* when it is dropped */
};

/*
 * Carries out a request. 0 and an allocated *answer of *bytes; or -errno and the client is told
 * *why if that is set; or 1: `client` has been answered by other means and is to be closed.
 */
typedef int (*sl_control_handler)(void *context, const json_t *request,
				  int client, char **answer, size_t *bytes,
				  const char **why);

struct sl_control {
	int fd; /* -1: none */
	char path[64];
	sl_control_handler handle;
	void *context;
	struct sl_control_client clients[SL_CONTROL_CLIENTS];
};

/*
 * Makes the socket, and takes away those that killed forwarders of this namespace left. 0 or
 * -errno.
 */
int sl_control_open(struct sl_control *control, sl_control_handler handle,
		    void *context);
void sl_control_close(struct sl_control *control);

/* Fills `polls`, SL_CONTROL_POLLS of them. */
void sl_control_polls(const struct sl_control *control, struct pollfd *polls);

/* Does what came up, and drops who is late. */
void sl_control_serve(struct sl_control *control, const struct pollfd *polls);

#endif /* SLUICE_FWD_CONTROL_H */
