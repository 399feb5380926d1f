// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The RSS indirection table. By ioctl: netlink sets it only since Linux 6.16.
 *
 * The kernel remembers whether a table was set by hand, and then refuses to take
 * away a queue that it names; that is not to be read. So where the table to go
 * back to is the default one, it is asked for as the default.
 */
#include "tune_device.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* More entries than any driver's table has (mlx5: 2,048). */
#define ENTRIES_MAX 16384

static int control(const struct sl_tune_device *device, void *command)
{
	struct ifreq request = { .ifr_data = command };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err = 0;

	if (fd < 0)
		return -errno;
	memcpy(request.ifr_name, device->name, IF_NAMESIZE);
	if (ioctl(fd, SIOCETHTOOL, &request))
		err = -errno;
	close(fd);
	return err;
}

/* With size 0 it tells its size, and with that the table. */
static int read_table(struct sl_tune_device *device,
		      struct ethtool_rxfh_indir **table)
{
	struct ethtool_rxfh_indir size = { .cmd = ETHTOOL_GRXFHINDIR };
	int err = control(device, &size);

	if (err)
		return err;
	if (!size.size || size.size > ENTRIES_MAX)
		return -EOPNOTSUPP;
	*table = calloc(1, sizeof(**table) + size.size * sizeof(uint32_t));
	if (!*table)
		return -ENOMEM;
	(*table)->cmd = ETHTOOL_GRXFHINDIR;
	(*table)->size = size.size;
	err = control(device, *table);
	if (err)
		free(*table);
	return err;
}

int sl_tune_rss_read(struct sl_tune_device *device, char **value)
{
	struct ethtool_rxfh_indir *table;
	int err = read_table(device, &table);

	if (err)
		return err;
	*value = sl_tune_rss_format(table->ring_index, table->size);
	free(table);
	return *value ? 0 : -ENOMEM;
}

/* Is the default table, once asked for, the one that is wanted? */
static bool take_default(struct sl_tune_device *device, const char *value)
{
	struct ethtool_rxfh_indir none = { .cmd = ETHTOOL_SRXFHINDIR };
	char *now;
	bool same;

	if (control(device, &none) || sl_tune_rss_read(device, &now))
		return false;
	same = strcmp(now, value) == 0;
	free(now);
	return same;
}

int sl_tune_rss_write(struct sl_tune_device *device, const char *value)
{
	struct ethtool_rxfh_indir *table;
	int err = read_table(device, &table);

	if (err)
		return err;
	table->cmd = ETHTOOL_SRXFHINDIR;
	err = sl_tune_rss_parse(value, table->ring_index, table->size);
	if (!err && !take_default(device, value))
		err = control(device, table);
	free(table);
	return err;
}
