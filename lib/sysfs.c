// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "sysfs.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_BYTES 128

bool sl_sysfs_line(const char *path, char *text, size_t bytes)
{
	FILE *in = fopen(path, "re");

	*text = '\0';
	if (!in)
		return false;
	if (!fgets(text, (int)bytes, in))
		*text = '\0';
	fclose(in);
	text[strcspn(text, "\n")] = '\0';
	return *text;
}

bool sl_sysfs_net_line(const char *name, const char *file, char *text,
		       size_t bytes)
{
	char path[PATH_BYTES];

	snprintf(path, sizeof(path), "/sys/class/net/%s/%s", name, file);
	return sl_sysfs_line(path, text, bytes);
}

bool sl_sysfs_net_shows(const char *name, int ifindex)
{
	char text[16];

	return sl_sysfs_net_line(name, "ifindex", text, sizeof(text)) &&
	       strtol(text, NULL, 10) == ifindex;
}

uint32_t sl_sysfs_net_queues(const char *name, const char *prefix)
{
	char path[PATH_BYTES];
	struct dirent *entry;
	uint32_t n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/class/net/%s/queues", name);
	dir = opendir(path);
	if (!dir)
		return 0;
	while ((entry = readdir(dir)))
		n += !strncmp(entry->d_name, prefix, strlen(prefix));
	closedir(dir);
	return n;
}

bool sl_sysfs_list_has(const char *list, long cpu)
{
	while (*list) {
		char *end;
		long first = strtol(list, &end, 10), last = first;

		if (end == list)
			return false;
		if (*end == '-')
			last = strtol(end + 1, &end, 10);
		if (cpu >= first && cpu <= last)
			return true;
		list = *end == ',' ? end + 1 : end;
	}
	return false;
}
