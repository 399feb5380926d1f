// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "readers.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"

#define READERS_DIRECTORY "/run/sluice"
#define READERS_PATH READERS_DIRECTORY "/readers"

static struct flock lock_of(short type, uint32_t ring_id)
{
	return (struct flock){ .l_type = type,
			       .l_whence = SEEK_SET,
			       .l_start = ring_id,
			       .l_len = 1 };
}

int sl_readers_open(struct sl_error *error)
{
	int fd = -1;

	if (mkdir(READERS_DIRECTORY, 0700) == 0 || errno == EEXIST)
		fd = open(READERS_PATH, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return sl_error_set(error, -errno, READERS_PATH ": open: %s%s",
				    strerror(errno),
				    errno == EACCES ? "; run as root" : "");
	return fd;
}

/* ": COMMAND LINE" as far as there is room; "" where it is not to be had. */
static void command_of(pid_t pid, char *text, size_t bytes)
{
	char path[32];
	ssize_t n = -1;
	int fd;

	text[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	n = read(fd, text + 2, bytes - 2);
	close(fd);
	if (n <= 0)
		return;
	memcpy(text, ": ", 2);
	text[n + 1] = '\0'; /* in place of the last argument's */
	for (ssize_t i = 2; i <= n; i++)
		if (!text[i])
			text[i] = ' ';
		else if (!isprint((unsigned char)text[i]))
			text[i] = '?';
}

int sl_readers_join(int readers_fd, const char *interface, uint32_t ring_id,
		    struct sl_error *error)
{
	struct flock lock = lock_of(F_WRLCK, ring_id);
	char command[128];

	if (fcntl(readers_fd, F_SETLK, &lock) == 0)
		return 0;
	if (errno != EAGAIN && errno != EACCES)
		return sl_error_set(error, -errno, READERS_PATH ": lock: %s",
				    strerror(errno));
	/* It may have ended since. */
	if (fcntl(readers_fd, F_GETLK, &lock) < 0 || lock.l_type == F_UNLCK)
		lock.l_pid = 0;
	command_of(lock.l_pid, command, sizeof(command));
	return sl_error_set(error, -EBUSY,
			    "%s: another process (%d) is reading its "
			    "samples%s; end that one first",
			    interface, (int)lock.l_pid, command);
}

void sl_readers_leave(int readers_fd, uint32_t ring_id)
{
	struct flock unlock = lock_of(F_UNLCK, ring_id);

	fcntl(readers_fd, F_SETLK, &unlock);
}
