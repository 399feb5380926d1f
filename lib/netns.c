// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "netns.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ancestor.h"
#include "sysfs.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* Linux 5.14 */
#endif

void sl_netns_read(struct sl_netns *netns)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t bytes = sizeof(netns->cookie);
	struct stat found = { 0 };

	*netns = (struct sl_netns){ 0 };
	if (fd >= 0) {
		if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &netns->cookie,
			       &bytes))
			netns->cookie = 0;
		close(fd);
	}
	if (stat("/proc/thread-self/ns/net", &found) == 0)
		netns->inode = found.st_ino;
	sl_sysfs_line("/proc/sys/kernel/random/boot_id", netns->boot,
		      sizeof(netns->boot));
}

bool sl_netns_is_initial(void)
{
	pid_t line[SL_ANCESTORS_MAX];
	struct stat theirs, ours;
	int n = sl_ancestors(line);

	if (stat("/proc/thread-self/ns/net", &ours))
		return false;
	/* The eldest first. */
	while (n-- > 0) {
		char path[64];

		snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)line[n]);
		if (stat(path, &theirs) == 0)
			return theirs.st_ino == ours.st_ino;
	}
	return true;
}
