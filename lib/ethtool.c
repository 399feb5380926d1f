// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "ethtool.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* More entries than any driver's table has (mlx5: 2,048). */
#define ENTRIES_MAX 16384

int sl_ethtool_by(int fd, const char *name, void *command)
{
	struct ifreq request = { .ifr_data = command };

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	return ioctl(fd, SIOCETHTOOL, &request) ? -errno : 0;
}

int sl_ethtool(const char *name, void *command)
{
	/* Any kind of socket is asked alike; a service may have no Internet sockets. */
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	err = sl_ethtool_by(fd, name, command);
	close(fd);
	return err;
}

/* With size 0 it tells its size, and with that the table. */
int sl_ethtool_rss(const char *name, struct ethtool_rxfh_indir **table)
{
	struct ethtool_rxfh_indir size = { .cmd = ETHTOOL_GRXFHINDIR };
	struct ethtool_rxfh_indir *new;
	int err = sl_ethtool(name, &size);

	if (err)
		return err;
	if (!size.size || size.size > ENTRIES_MAX)
		return -EOPNOTSUPP;
	new = calloc(1, sizeof(*new) + size.size * sizeof(uint32_t));
	if (!new)
		return -ENOMEM;
	new->cmd = ETHTOOL_GRXFHINDIR;
	new->size = size.size;
	err = sl_ethtool(name, new);
	if (err)
		free(new);
	else
		*table = new;
	return err;
}
