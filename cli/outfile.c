// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

int cli_outfile_open(const char *path, FILE **file)
{
	int fd;

	*file = stdout;
	if (!path || strcmp(path, "-") == 0)
		return CLI_OK;
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	*file = fd < 0 ? NULL : fdopen(fd, "w");
	if (*file)
		return CLI_OK;
	fprintf(stderr, "sluice: %s: create: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return CLI_SYSTEM;
}

int cli_outfile_begin(FILE *file)
{
	struct stat status;

	if (file == stdout)
		return 0;
	if (fstat(fileno(file), &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode))
		return 0;
	return ftruncate(fileno(file), 0) < 0 ? -errno : 0;
}
