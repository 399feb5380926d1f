// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * When interrupts stay off: of the NAPI behind a queue, by netdev-genl (Linux
 * 6.13; threaded 6.17), or of all of the interface, by /sys. The id of a NAPI is
 * asked for anew each time: it changes when the link goes down.
 */
#include "tune_device.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netdev_uapi.h"
#include "sysfs.h"

static const struct {
	const char *file; /* of /sys/class/net/NAME; NULL: has none */
	uint16_t type;
	bool wide; /* a `uint` of the kernel's, else a u32 */
} fields[SL_TUNE_SETTINGS] = {
	[SL_TUNE_DEFER] = { "napi_defer_hard_irqs",
			    SL_NETDEV_NAPI_DEFER_HARD_IRQS, false },
	[SL_TUNE_FLUSH] = { "gro_flush_timeout",
			    SL_NETDEV_NAPI_GRO_FLUSH_TIMEOUT, true },
	[SL_TUNE_SUSPEND] = { NULL, SL_NETDEV_NAPI_IRQ_SUSPEND_TIMEOUT, true },
	[SL_TUNE_THREADED] = { "threaded", SL_NETDEV_NAPI_THREADED, false },
};

struct napi {
	uint32_t id;
	uint16_t type;
	bool has;
	uint64_t value;
};

static int read_queue(const struct nlmsghdr *message, void *data)
{
	const struct nlattr *of[SL_NETDEV_QUEUE_MAX + 1];
	struct napi *napi = data;

	sl_genl_attributes(message, of, SL_NETDEV_QUEUE_MAX);
	napi->id = (uint32_t)sl_genl_number(of[SL_NETDEV_QUEUE_NAPI_ID]);
	return MNL_CB_OK;
}

static int read_napi(const struct nlmsghdr *message, void *data)
{
	const struct nlattr *of[SL_NETDEV_NAPI_MAX + 1];
	struct napi *napi = data;

	sl_genl_attributes(message, of, SL_NETDEV_NAPI_MAX);
	napi->has = of[napi->type];
	napi->value = sl_genl_number(of[napi->type]);
	return MNL_CB_OK;
}

/*
 * The NAPI behind a queue. -ENOENT: the interface is down, or has no such
 * queue; -EOPNOTSUPP: the driver names none.
 */
static int find_napi(struct sl_tune_device *device,
		     const struct sl_tune_key *key, struct napi *napi)
{
	struct nlmsghdr *message;
	int err;

	*napi = (struct napi){ .type = fields[key->setting].type };
	if (key->unit == SL_TUNE_OTHER || device->netdev_err ||
	    !device->netdev.has[SL_NETDEV_NAPI_SET])
		return -EOPNOTSUPP;
	message = sl_genl_begin(&device->netdev, SL_NETDEV_QUEUE_GET, false);
	mnl_attr_put_u32(message, SL_NETDEV_QUEUE_IFINDEX,
			 (uint32_t)device->ifindex);
	mnl_attr_put_u32(message, SL_NETDEV_QUEUE_TYPE,
			 key->unit == SL_TUNE_TX);
	mnl_attr_put_u32(message, SL_NETDEV_QUEUE_ID, key->queue);
	err = sl_genl_ask(&device->netdev, read_queue, napi);
	/* A queue beyond those that there are is -EINVAL. */
	if (err)
		return err == -EINVAL ? -ENOENT : err;
	return napi->id ? 0 : -EOPNOTSUPP;
}

static int read_by_netlink(struct sl_tune_device *device,
			   const struct sl_tune_key *key, char **value)
{
	struct nlmsghdr *message;
	struct napi napi;
	int err = find_napi(device, key, &napi);

	if (err)
		return err;
	message = sl_genl_begin(&device->netdev, SL_NETDEV_NAPI_GET, false);
	mnl_attr_put_u32(message, SL_NETDEV_NAPI_ID, napi.id);
	err = sl_genl_ask(&device->netdev, read_napi, &napi);
	if (err)
		return err;
	return napi.has ? sl_tune_number(napi.value, value) : -EOPNOTSUPP;
}

static int write_by_netlink(struct sl_tune_device *device,
			    const struct sl_tune_key *key, uint64_t value)
{
	struct nlmsghdr *message;
	struct napi napi;
	int err = find_napi(device, key, &napi);

	if (err)
		return err;
	message = sl_genl_begin(&device->netdev, SL_NETDEV_NAPI_SET, false);
	mnl_attr_put_u32(message, SL_NETDEV_NAPI_ID, napi.id);
	/* What fits in no u32 the kernel refuses by its own words. */
	if (fields[key->setting].wide || value > UINT32_MAX)
		mnl_attr_put_u64(message, napi.type, value);
	else
		mnl_attr_put_u32(message, napi.type, (uint32_t)value);
	err = sl_genl_ask(&device->netdev, NULL, NULL);
	snprintf(device->said, sizeof(device->said), "%s", device->netdev.said);
	return err;
}

int sl_tune_napi_read(struct sl_tune_device *device,
		      const struct sl_tune_key *key, char **value)
{
	const char *file = fields[key->setting].file;
	char text[32];

	if (key->unit != SL_TUNE_INTERFACE)
		return read_by_netlink(device, key, value);
	/* Files that an interface without NAPI has, too, and cannot be read. */
	if (!file || !device->sysfs ||
	    !sl_sysfs_net_line(device->name, file, text, sizeof(text)))
		return -EOPNOTSUPP;
	*value = strdup(text);
	return *value ? 0 : -ENOMEM;
}

int sl_tune_napi_write(struct sl_tune_device *device,
		       const struct sl_tune_key *key, const char *value)
{
	const char *file = fields[key->setting].file;
	char path[128];

	if (key->unit != SL_TUNE_INTERFACE)
		return write_by_netlink(device, key, strtoull(value, NULL, 10));
	if (!file || !device->sysfs)
		return -EOPNOTSUPP;
	snprintf(path, sizeof(path), "/sys/class/net/%s/%s", device->name,
		 file);
	return sl_tune_file_write(path, value);
}
