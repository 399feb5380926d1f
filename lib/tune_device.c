// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "tune_device.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/ethtool.h>
#include <linux/ethtool_netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ethtool.h"
#include "netdev_uapi.h"
#include "sysfs.h"

/* A driver that tells nothing of itself is known by its index alone. */
static void read_identity(struct sl_tune_device *device)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };

	if (!sl_ethtool(device->name, &info))
		snprintf(device->identity, sizeof(device->identity),
			 "%.31s%s%.31s", info.driver, *info.bus_info ? " " : "",
			 info.bus_info);
}

int sl_tune_device_open(const char *name, struct sl_tune_device *device)
{
	*device =
		(struct sl_tune_device){ .ifindex = (int)if_nametoindex(name) };
	if (!device->ifindex || strlen(name) >= IF_NAMESIZE)
		return -ENODEV;
	strcpy(device->name, name);
	read_identity(device);
	device->ethtool_err = sl_genl_open(ETHTOOL_GENL_NAME, &device->ethtool);
	device->netdev_err = sl_genl_open(SL_NETDEV_FAMILY, &device->netdev);
	device->sysfs = sl_sysfs_net_shows(name, device->ifindex);
	return 0;
}

int sl_tune_device_find(int ifindex, const char *identity,
			struct sl_tune_device *device)
{
	char name[IF_NAMESIZE];

	if (!if_indextoname((unsigned)ifindex, name) ||
	    sl_tune_device_open(name, device))
		return -ENODEV;
	if (device->ifindex == ifindex &&
	    strcmp(device->identity, identity) == 0)
		return 0;
	sl_tune_device_close(device);
	return -ENODEV;
}

void sl_tune_device_close(struct sl_tune_device *device)
{
	sl_genl_close(&device->ethtool);
	sl_genl_close(&device->netdev);
}

int sl_tune_file_write(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, value, strlen(value)) < 0)
		err = -errno;
	close(fd);
	return err;
}

int sl_tune_number(uint64_t number, char **value)
{
	return asprintf(value, "%" PRIu64, number) < 0 ? -ENOMEM : 0;
}

/* The index may be another's by now: each access by name is to the right one. */
static int still_there(struct sl_tune_device *device)
{
	char name[IF_NAMESIZE];

	*device->said = '\0';
	if (!if_indextoname((unsigned)device->ifindex, name))
		return -ENODEV;
	memcpy(device->name, name, sizeof(name));
	return 0;
}

int sl_tune_read(struct sl_tune_device *device, const struct sl_tune_key *key,
		 char **value)
{
	int err = still_there(device);

	if (err)
		return err;
	switch (key->setting) {
	case SL_TUNE_RSS:
		return sl_tune_rss_read(device, value);
	case SL_TUNE_IRQ_AFFINITY:
		return sl_tune_irq_read(device, key, value);
	default:
		return sl_tune_kinds[key->setting].queues ?
			       sl_tune_napi_read(device, key, value) :
			       sl_tune_ethtool_read(device, key->setting,
						    value);
	}
}

int sl_tune_write(struct sl_tune_device *device, const struct sl_tune_key *key,
		  const char *value)
{
	int err = still_there(device);

	if (err)
		return err;
	switch (key->setting) {
	case SL_TUNE_RSS:
		return sl_tune_rss_write(device, value);
	case SL_TUNE_IRQ_AFFINITY:
		return sl_tune_irq_write(device, key, value);
	default:
		return sl_tune_kinds[key->setting].queues ?
			       sl_tune_napi_write(device, key, value) :
			       sl_tune_ethtool_write(device, key->setting,
						     value);
	}
}

static int parse_number(const char *value, uint64_t most, uint64_t *number)
{
	char *end;

	errno = 0;
	*number = strtoull(value, &end, 10);
	if (*value < '0' || *value > '9' || *end || errno || *number > most)
		return -EINVAL;
	return 0;
}

int sl_tune_form(struct sl_tune_device *device, const struct sl_tune_key *key,
		 const char *value, char **form)
{
	uint64_t number;
	int err;

	if (key->setting == SL_TUNE_IRQ_AFFINITY) {
		*form = strdup(value);
		return *form ? 0 : -ENOMEM;
	}
	err = parse_number(value,
			   sl_tune_kinds[key->setting].queues ? UINT64_MAX :
								UINT32_MAX,
			   &number);
	if (err)
		return err;
	if (key->setting == SL_TUNE_CHANNELS)
		return sl_tune_channels_form(device, (uint32_t)number, form);
	if (key->setting == SL_TUNE_RSS)
		return asprintf(form, "equal %" PRIu64, number) < 0 ? -ENOMEM :
								      0;
	return sl_tune_number(number, form);
}
