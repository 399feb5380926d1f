/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The control sockets of running forwarders, from outside: how they are found, and asked.
 * docs/forwarder.md has the requests. Any process; root, or the user that runs the forwarder.
 */
#ifndef SLUICE_FWDCTL_H
#define SLUICE_FWDCTL_H

#include <stddef.h>

#define SL_FWDCTL_DIRECTORY "/run/sluice/forwarder"
/* Bytes of a path there. */
#define SL_FWDCTL_PATH 108

/* The path of the forwarder with this process id in this network namespace. 0 or -errno. */
int sl_fwdctl_path(int pid, char path[SL_FWDCTL_PATH]);

/* One that runs. */
struct sl_fwdctl {
	int pid;
	int fd; /* -errno: it could not be connected to */
};

/*
 * A connection to each forwarder of this network namespace, for the caller to close; one that
 * takes none within wait_ms (0: some seconds) leaves the others theirs. Sockets whose process is
 * gone are taken away. 0 and an allocated *found of *n (NULL: none), or -errno: they cannot be
 * looked for.
 */
int sl_fwdctl_connect(unsigned wait_ms, struct sl_fwdctl **found, size_t *n);

/* Closes the connections, frees the list. */
void sl_fwdctl_close(struct sl_fwdctl *found, size_t n);

/*
 * Sends a request, a line of JSON without its newline, and reads the line of the answer, without
 * it, too. Waits as long as connecting might, each time. 0 and an allocated *answer, or -errno.
 */
int sl_fwdctl_ask(int fd, const char *request, char **answer);

/* What follows the line: `bytes` of it, allocated and terminated. 0 or -errno. */
int sl_fwdctl_more(int fd, size_t bytes, char **more);

#endif /* SLUICE_FWDCTL_H */
