// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "durable.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

static int write_all(int fd, const char *data, size_t bytes)
{
	while (bytes) {
		ssize_t n = write(fd, data, bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		bytes -= (size_t)n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

int sl_durable_write(int dir, const char *name, const char *data, size_t bytes)
{
	char next[NAME_MAX + 1];
	int fd, err;

	if ((size_t)snprintf(next, sizeof(next), "%s" SL_DURABLE_NEW, name) >=
	    sizeof(next))
		return -ENAMETOOLONG;
	fd = openat(dir, next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	err = write_all(fd, data, bytes);
	if (close(fd) < 0 && !err)
		err = -errno;
	if (!err && renameat(dir, next, dir, name) < 0)
		err = -errno;
	if (err)
		unlinkat(dir, next, 0);
	else if (fsync(dir) < 0)
		err = -errno;
	return err;
}
