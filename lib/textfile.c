/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include "textfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define ROOM_START 65536 /* most configurations fit; doubled as needed */

static int read_all(int fd, size_t most, char **text, size_t *length)
{
	size_t room = ROOM_START, used = 0;
	char *buffer = malloc(room), *more;
	ssize_t n;
	int err = -ENOMEM;

	if (!buffer)
		return -ENOMEM;
	for (;;) {
		n = read(fd, buffer + used, room - used - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			err = -errno;
			goto err_free;
		}
		if (!n)
			break;
		used += (size_t)n;
		if (used > most) {
			err = -EFBIG;
			goto err_free;
		}
		if (room - used > 1)
			continue;
		more = realloc(buffer, 2 * room);
		if (!more)
			goto err_free;
		buffer = more;
		room *= 2;
	}
	buffer[used] = '\0';
	*text = buffer;
	*length = used;
	return 0;

err_free:
	free(buffer);
	return err;
}

int sl_textfile_read(const char *path, size_t most, char **text, size_t *length)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = read_all(fd, most, text, length);
	close(fd);
	return err;
}
