// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "ancestor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pid_t parent_of(pid_t pid)
{
	char path[64], line[512], *end;
	pid_t parent = 0;
	FILE *stat;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	stat = fopen(path, "re");
	if (!stat)
		return 0;
	/* "PID (NAME) STATE PPID ...", where the name may hold anything. */
	end = fgets(line, sizeof(line), stat) ? strrchr(line, ')') : NULL;
	if (end && strlen(end) > 4)
		parent = (pid_t)strtol(end + 4, NULL, 10);
	fclose(stat);
	return parent;
}

int sl_ancestors(pid_t line[SL_ANCESTORS_MAX])
{
	int n = 0;

	for (pid_t pid = getppid(); pid > 0 && n < SL_ANCESTORS_MAX;
	     pid = parent_of(pid))
		line[n++] = pid;
	return n;
}
