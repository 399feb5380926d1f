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
#include <stdlib.h>
#include <string.h>

#include "ethtool.h"

int sl_tune_rss_read(struct sl_tune_device *device, char **value)
{
	struct ethtool_rxfh_indir *table;
	int err = sl_ethtool_rss(device->name, &table);

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

	if (sl_ethtool(device->name, &none) || sl_tune_rss_read(device, &now))
		return false;
	same = strcmp(now, value) == 0;
	free(now);
	return same;
}

int sl_tune_rss_write(struct sl_tune_device *device, const char *value)
{
	struct ethtool_rxfh_indir *table;
	int err = sl_ethtool_rss(device->name, &table);

	if (err)
		return err;
	table->cmd = ETHTOOL_SRXFHINDIR;
	err = sl_tune_rss_parse(value, table->ring_index, table->size);
	if (!err && !take_default(device, value))
		err = sl_ethtool(device->name, table);
	free(table);
	return err;
}
