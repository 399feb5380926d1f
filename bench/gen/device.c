// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "device.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/ethtool.h"
#include "lib/rtnl.h"

/* A link's attributes, as far as they are wanted here. */
struct link {
	struct device device;
	uint64_t tx_packets;
	unsigned int lower; /* IFLA_LINK of an interface on top of another */
};

static int read_attribute(const struct nlattr *attr, void *data)
{
	struct link *link = data;
	struct rtnl_link_stats64 stats;

	switch (mnl_attr_get_type(attr)) {
	case IFLA_IFNAME:
		snprintf(link->device.name, sizeof(link->device.name), "%s",
			 mnl_attr_get_str(attr));
		break;
	case IFLA_ADDRESS:
		if (mnl_attr_get_payload_len(attr) == 6)
			memcpy(link->device.mac, mnl_attr_get_payload(attr), 6);
		break;
	case IFLA_MTU:
		link->device.mtu = mnl_attr_get_u32(attr);
		break;
	case IFLA_MASTER:
		link->device.master = mnl_attr_get_u32(attr);
		break;
	case IFLA_LINK:
		link->lower = mnl_attr_get_u32(attr);
		break;
	case IFLA_STATS64:
		if (mnl_attr_get_payload_len(attr) >=
		    sizeof(stats.rx_packets) * 2) {
			memcpy(&stats, mnl_attr_get_payload(attr),
			       sizeof(uint64_t) * 2);
			link->tx_packets = stats.tx_packets;
		}
		break;
	}
	return MNL_CB_OK;
}

static int read_link(const struct nlmsghdr *message, void *data)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
	struct link *link = data;

	link->device.ifindex = (unsigned int)info->ifi_index;
	link->device.up = info->ifi_flags & IFF_UP;
	link->device.ethernet = info->ifi_type == ARPHRD_ETHER;
	return mnl_attr_parse(message, sizeof(*info), read_attribute, link);
}

static int get_link(unsigned int ifindex, struct link *link)
{
	char buffer[64] __attribute__((aligned(__alignof__(struct nlmsghdr))));
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *info;
	struct link found = { 0 };
	int err;

	message->nlmsg_type = RTM_GETLINK;
	info = mnl_nlmsg_put_extra_header(message, sizeof(*info));
	info->ifi_index = (int)ifindex;
	err = sl_rtnl_ask(message, read_link, &found);
	if (!err)
		*link = found;
	return err;
}

static bool is_veth(const char *name)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };

	return !sl_ethtool(name, &info) && !strcmp(info.driver, "veth");
}

int sl_gen_device_open(const char *name, struct device *device)
{
	unsigned int ifindex = if_nametoindex(name);
	struct link link = { 0 };
	int err;

	if (!ifindex)
		return -errno;
	err = get_link(ifindex, &link);
	if (err)
		return err;
	*device = link.device;
	device->veth = is_veth(device->name);
	return 0;
}

static int count_strings(const char *name, uint32_t *count)
{
	/* The structure ends in an array, of one member for one set asked for. */
	struct ethtool_sset_info *set =
		calloc(1, sizeof(*set) + sizeof(set->data[0]));
	int err;

	if (!set)
		return -ENOMEM;
	set->cmd = ETHTOOL_GSSET_INFO;
	set->sset_mask = 1ull << ETH_SS_STATS;
	err = sl_ethtool(name, set);
	if (!err)
		*count = set->sset_mask ? set->data[0] : 0;
	free(set);
	return err;
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strnlen(text, ETH_GSTRING_LEN), tail = strlen(end);

	return length >= tail && !strncmp(text + length - tail, end, tail);
}

static void add_counter(struct device_counters *sum, const char *name,
			uint64_t value)
{
	if (ends_with(name, "_xdp_xmit"))
		sum->sent += value;
	else if (ends_with(name, "_xdp_xmit_errors"))
		sum->refused += value;
	else
		return;
	sum->exact = true;
}

static int count_veth(const char *name, struct device_counters *counters)
{
	struct ethtool_gstrings *names = NULL;
	struct ethtool_stats *values = NULL;
	struct device_counters sum = { 0 };
	uint32_t count = 0;
	int err;

	err = count_strings(name, &count);
	if (err)
		return err;
	names = calloc(1, sizeof(*names) + (size_t)count * ETH_GSTRING_LEN);
	values = calloc(1, sizeof(*values) + count * sizeof(uint64_t));
	if (!names || !values) {
		err = -ENOMEM;
		goto out;
	}
	names->cmd = ETHTOOL_GSTRINGS;
	names->string_set = ETH_SS_STATS;
	names->len = count;
	values->cmd = ETHTOOL_GSTATS;
	values->n_stats = count;
	err = sl_ethtool(name, names);
	if (!err)
		err = sl_ethtool(name, values);
	for (uint32_t i = 0; !err && i < count; i++)
		add_counter(&sum,
			    (char *)names->data + (size_t)i * ETH_GSTRING_LEN,
			    values->data[i]);
	if (!err)
		*counters = sum;
out:
	free(names);
	free(values);
	return err;
}

int sl_gen_device_count(const struct device *device,
			struct device_counters *counters)
{
	struct device_counters found = { 0 };
	struct link link = { 0 };
	int err;

	if (device->veth && !count_veth(device->name, &found) && found.exact) {
		*counters = found;
		return 0;
	}
	err = get_link(device->ifindex, &link);
	if (err)
		return err;
	*counters = (struct device_counters){ .sent = link.tx_packets };
	return 0;
}

/* Is `device` the interface `name`, below it, or of the same aggregate? */
static bool carries(const struct device *device, const char *name)
{
	unsigned int ifindex = if_nametoindex(name);
	struct link link = { 0 };

	if (!ifindex)
		return false;
	if (ifindex == device->ifindex || ifindex == device->master)
		return true;
	if (get_link(ifindex, &link))
		return false;
	/* A veth's IFLA_LINK is its peer, which carries nothing of its routes. */
	if (!link.lower || is_veth(name))
		return false;
	return link.lower == device->ifindex || link.lower == device->master;
}

/* Calls carries() for the device of each default route of a /proc/net table. */
static bool table_carries(const char *path, bool six,
			  const struct device *device)
{
	char line[512], dev[64] = "", destination[64] = "", mask[64] = "";
	FILE *table = fopen(path, "re");
	bool found = false;

	while (table && !found && fgets(line, sizeof(line), table)) {
		int fields;

		if (six)
			fields = sscanf(
				line,
				"%63s %63s %*s %*s %*s %*s %*s %*s %*s %63s",
				destination, mask, dev);
		else
			fields = sscanf(line,
					"%63s %63s %*s %*s %*s %*s %*s %63s",
					dev, destination, mask);
		if (fields == 3 &&
		    strspn(destination, "0") == strlen(destination) &&
		    strspn(mask, "0") == strlen(mask))
			found = carries(device, dev);
	}
	if (table)
		fclose(table);
	return found;
}

bool sl_gen_device_has_default_route(const struct device *device)
{
	return table_carries("/proc/self/net/route", false, device) ||
	       table_carries("/proc/self/net/ipv6_route", true, device);
}
