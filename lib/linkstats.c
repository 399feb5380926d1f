// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "linkstats.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include <libmnl/libmnl.h>

#include "ethtool.h"
#include "rtnl.h"

/* rtnl_link_stats64 grows: what an older kernel does not send is 0. */
static int attribute(const struct nlattr *attr, void *context)
{
	struct sl_linkstats *stats = context;
	size_t bytes = mnl_attr_get_payload_len(attr);

	if (mnl_attr_get_type(attr) != IFLA_STATS64)
		return MNL_CB_OK;
	if (bytes > sizeof(stats->counted))
		bytes = sizeof(stats->counted);
	memcpy(&stats->counted, mnl_attr_get_payload(attr), bytes);
	return MNL_CB_OK;
}

static int message(const struct nlmsghdr *header, void *context)
{
	const struct ifinfomsg *link = mnl_nlmsg_get_payload(header);
	struct sl_linkstats *stats = context;

	stats->ifindex = (uint32_t)link->ifi_index;
	stats->admin_up = link->ifi_flags & IFF_UP;
	stats->oper_up = link->ifi_flags & IFF_RUNNING;
	stats->promiscuous = link->ifi_flags & IFF_PROMISC;
	return mnl_attr_parse(header, sizeof(*link), attribute, context);
}

/* ETHTOOL_GSET: the one that every driver and kernel answers. */
static void read_speed(const char *name, struct sl_linkstats *stats)
{
	struct ethtool_cmd link = { .cmd = ETHTOOL_GSET };
	uint32_t mbps;

	if (sl_ethtool(name, &link))
		return;
	mbps = ethtool_cmd_speed(&link);
	if (mbps != (uint32_t)SPEED_UNKNOWN)
		stats->speed_bps = (uint64_t)mbps * 1000000;
	stats->duplex_known = link.duplex == DUPLEX_HALF ||
			      link.duplex == DUPLEX_FULL;
	stats->full_duplex = link.duplex == DUPLEX_FULL;
}

int sl_linkstats_read(const char *name, struct sl_linkstats *stats)
{
	char buffer[256] __attribute__((aligned(8)));
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
	struct sl_linkstats new = { 0 };
	int err;

	header->nlmsg_type = RTM_GETLINK;
	mnl_nlmsg_put_extra_header(header, sizeof(struct ifinfomsg));
	if (strlen(name) >= IFNAMSIZ)
		return -ENODEV;
	mnl_attr_put_strz(header, IFLA_IFNAME, name);
	err = sl_rtnl_ask(header, message, &new);
	if (err)
		return err;
	read_speed(name, &new);
	*stats = new;
	return 0;
}
