// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "fwdctl.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* A forwarder that stops takes seconds (it drains, its stages end); a live one milliseconds. */
#define WAIT_MS 20000
/* More is no answer of ours. */
#define ANSWER_MAX (16u << 20)

/* What the names of this network namespace's sockets begin with. */
static int prefix(char text[32])
{
	struct stat status;

	if (stat("/proc/self/ns/net", &status))
		return -errno;
	snprintf(text, 32, "%lu-", (unsigned long)status.st_ino);
	return 0;
}

int sl_fwdctl_path(int pid, char path[SL_FWDCTL_PATH])
{
	char begin[32];
	int err = prefix(begin);

	if (!err)
		snprintf(path, SL_FWDCTL_PATH, SL_FWDCTL_DIRECTORY "/%s%d.sock",
			 begin, pid);
	return err;
}

/* -ECONNREFUSED: nobody listens there any more. */
static int socket_connect(const char *path, unsigned wait_ms)
{
	const struct timeval wait = { .tv_sec = wait_ms / 1000,
				      .tv_usec = (suseconds_t)(wait_ms % 1000) *
						 1000 };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

static int connection_add(const char *name, int pid, unsigned wait_ms,
			  struct sl_fwdctl **found, size_t *n)
{
	struct sl_fwdctl *more;
	char path[SL_FWDCTL_PATH];
	int fd;

	if ((size_t)snprintf(path, sizeof(path), SL_FWDCTL_DIRECTORY "/%s",
			     name) >= sizeof(path))
		return 0;
	fd = socket_connect(path, wait_ms);
	if (fd == -ECONNREFUSED)
		unlink(path);
	if (fd == -ECONNREFUSED || fd == -ENOENT)
		return 0;
	more = realloc(*found, (*n + 1) * sizeof(**found));
	if (!more) {
		if (fd >= 0)
			close(fd);
		return -ENOMEM;
	}
	*found = more;
	more[(*n)++] = (struct sl_fwdctl){ pid, fd };
	return 0;
}

void sl_fwdctl_close(struct sl_fwdctl *found, size_t n)
{
	while (n--)
		if (found[n].fd >= 0)
			close(found[n].fd);
	free(found);
}

int sl_fwdctl_connect(unsigned wait_ms, struct sl_fwdctl **found, size_t *n)
{
	struct sl_fwdctl *list = NULL;
	size_t n_list = 0, bytes;
	char begin[32];
	struct dirent *entry;
	int err = prefix(begin);
	DIR *directory;

	*found = NULL;
	*n = 0;
	if (err)
		return err;
	bytes = strlen(begin);
	directory = opendir(SL_FWDCTL_DIRECTORY);
	if (!directory)
		return errno == ENOENT ? 0 : -errno;
	while (!err && (entry = readdir(directory)))
		if (!strncmp(entry->d_name, begin, bytes))
			err = connection_add(
				entry->d_name,
				(int)strtol(entry->d_name + bytes, NULL, 10),
				wait_ms ? wait_ms : WAIT_MS, &list, &n_list);
	closedir(directory);
	if (err) {
		sl_fwdctl_close(list, n_list);
		return err;
	}
	*found = list;
	*n = n_list;
	return 0;
}

/* Byte by byte: what follows the line may have descriptors beside it. */
static int line_read(int fd, char **line)
{
	size_t n = 0, room = 0;
	char *text = NULL;

	for (;;) {
		ssize_t got;

		if (n == room) {
			char *more = room < ANSWER_MAX ?
					     realloc(text, room + 4096) :
					     NULL;

			if (!more) {
				free(text);
				return room < ANSWER_MAX ? -ENOMEM : -EMSGSIZE;
			}
			text = more;
			room += 4096;
		}
		got = recv(fd, text + n, 1, 0);
		if (got == 1 && text[n++] != '\n')
			continue;
		if (got == 1)
			break;
		free(text);
		return got ? -errno : -EPIPE;
	}
	text[n - 1] = '\0';
	*line = text;
	return 0;
}

int sl_fwdctl_ask(int fd, const char *request, char **answer)
{
	size_t bytes = strlen(request);

	if (send(fd, request, bytes, MSG_NOSIGNAL) != (ssize_t)bytes ||
	    send(fd, "\n", 1, MSG_NOSIGNAL) != 1)
		return errno ? -errno : -EIO;
	return line_read(fd, answer);
}

int sl_fwdctl_more(int fd, size_t bytes, char **more)
{
	char *text;
	size_t n = 0;

	if (bytes > ANSWER_MAX)
		return -EMSGSIZE;
	text = malloc(bytes + 1);
	if (!text)
		return -ENOMEM;
	while (n < bytes) {
		ssize_t got = recv(fd, text + n, bytes - n, 0);

		if (got <= 0) {
			free(text);
			return got ? -errno : -EPIPE;
		}
		n += (size_t)got;
	}
	text[n] = '\0';
	*more = text;
	return 0;
}
