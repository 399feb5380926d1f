// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/error.h"

#define PASSED_FD 3 /* SD_LISTEN_FDS_START */
#define BACKLOG 1024

static const char *path_of(const struct sl_listen *listen)
{
	return ((const struct sockaddr_un *)&listen->address)->sun_path;
}

static void set_name(struct sl_socket *s)
{
	char host[INET6_ADDRSTRLEN] = "";
	const struct sockaddr_in *ip4 = (void *)&s->at.address;
	const struct sockaddr_in6 *ip6 = (void *)&s->at.address;

	if (s->at.address.ss_family == AF_INET) {
		inet_ntop(AF_INET, &ip4->sin_addr, host, sizeof(host));
		snprintf(s->name, sizeof(s->name), "http://%s:%u/", host,
			 ntohs(ip4->sin_port));
	} else if (s->at.address.ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &ip6->sin6_addr, host, sizeof(host));
		snprintf(s->name, sizeof(s->name), "http://[%s]:%u/", host,
			 ntohs(ip6->sin6_port));
	} else {
		snprintf(s->name, sizeof(s->name), "%.120s", path_of(&s->at));
	}
}

/* Where it is: a port 0 has become a number. */
static int look(struct sl_socket *s)
{
	s->at.length = sizeof(s->at.address);
	if (getsockname(s->fd, (struct sockaddr *)&s->at.address,
			&s->at.length) < 0)
		return -errno;
	set_name(s);
	return 0;
}

/* Whether systemd passed sockets to this very process, and how many. */
static int count_passed(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");

	if (!pid || !fds || strtol(pid, NULL, 10) != getpid())
		return 0;
	return (int)strtol(fds, NULL, 10);
}

static int take_passed(struct sl_socket *s, int n, struct sl_error *error)
{
	int listening = 0;
	socklen_t length = sizeof(listening);

	if (n != 1)
		return sl_error_set(error, -EINVAL,
				    "systemd passed %d sockets; one is "
				    "expected: one ListenStream= line",
				    n);
	if (getsockopt(PASSED_FD, SOL_SOCKET, SO_ACCEPTCONN, &listening,
		       &length) < 0 ||
	    !listening)
		return sl_error_set(error, -EINVAL,
				    "what systemd passed is no listening "
				    "stream socket; ListenStream= makes one");
	s->fd = PASSED_FD;
	s->passed = true;
	fcntl(s->fd, F_SETFD, FD_CLOEXEC);
	fcntl(s->fd, F_SETFL, fcntl(s->fd, F_GETFL) | O_NONBLOCK);
	return look(s);
}

/* Does anybody listen on this Unix socket? */
static bool is_alive(const struct sl_listen *listen)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool alive = fd >= 0 && connect(fd, (const void *)&listen->address,
					listen->length) == 0;

	if (fd >= 0)
		close(fd);
	return alive;
}

/* A stale one of ours; anything else at that path is left alone. */
static void remove_stale(const struct sl_listen *listen)
{
	struct stat status;

	if (lstat(path_of(listen), &status) == 0 && S_ISSOCK(status.st_mode) &&
	    !is_alive(listen))
		unlink(path_of(listen));
}

/* The directory, because the process may change to another mount namespace (lib/pins.h). */
static int open_directory(const char *path)
{
	char copy[sizeof(((struct sockaddr_un *)NULL)->sun_path)];

	strcpy(copy, path);
	return open(dirname(copy), O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static int bind_unix(struct sl_socket *s, gid_t group)
{
	const char *path = path_of(&s->at);
	mode_t mask;
	int err = 0;

	remove_stale(&s->at);
	mask = umask(0177);
	if (bind(s->fd, (const void *)&s->at.address, s->at.length) < 0)
		err = -errno;
	umask(mask);
	if (err)
		return err;
	s->directory_fd = open_directory(path);
	if (group != (gid_t)-1 &&
	    (chown(path, (uid_t)-1, group) < 0 || chmod(path, 0660) < 0))
		return -errno;
	return 0;
}

static int bind_inet(struct sl_socket *s)
{
	const int on = 1;

	setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (s->at.address.ss_family == AF_INET6)
		setsockopt(s->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	return bind(s->fd, (const void *)&s->at.address, s->at.length) < 0 ?
		       -errno :
		       0;
}

static const char *remedy(int err)
{
	switch (err) {
	case -EADDRINUSE:
		return "; something listens there: another --listen";
	case -EADDRNOTAVAIL:
		return "; no interface here has that address: `ip address`";
	case -EACCES:
		return "; run as root, or choose another place";
	default:
		return "";
	}
}

int sl_socket_open(struct sl_socket *opened, const struct sl_listen *at,
		   gid_t group, struct sl_error *error)
{
	bool is_unix = at->address.ss_family == AF_UNIX;
	int err, n = count_passed();

	*opened = (struct sl_socket){ .fd = -1, .at = *at, .directory_fd = -1 };
	set_name(opened);
	if (n)
		return take_passed(opened, n, error);
	opened->fd = socket(at->address.ss_family,
			    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	err = opened->fd < 0 ? -errno :
	      is_unix	     ? bind_unix(opened, group) :
			       bind_inet(opened);
	if (!err && listen(opened->fd, BACKLOG) < 0)
		err = -errno;
	if (!err && !is_unix)
		err = look(opened);
	if (!err)
		return 0;
	sl_error_set(error, err, "%s: listen: %s%s", opened->name,
		     strerror(-err), remedy(err));
	sl_socket_close(opened);
	return err;
}

void sl_socket_close(struct sl_socket *opened)
{
	char copy[sizeof(((struct sockaddr_un *)NULL)->sun_path)];

	if (opened->directory_fd >= 0) {
		strcpy(copy, path_of(&opened->at));
		unlinkat(opened->directory_fd, basename(copy), 0);
		close(opened->directory_fd);
	}
	if (opened->fd >= 0)
		close(opened->fd);
	*opened = (struct sl_socket){ .fd = -1, .directory_fd = -1 };
}
