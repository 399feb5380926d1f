// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "way.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

#include <libmnl/libmnl.h>

#include "config.h"
#include "rtnl.h"

#define QUESTION_BYTES 256
#define DEPTH_MAX 6 /* of interfaces upon interfaces */

struct link {
	int lower;  /* IFLA_LINK; 0: none in this namespace */
	int master; /* 0: none */
	char kind[16];
	int vlan; /* -1: not a VLAN */
};

struct route {
	int ifindex;
	bool has_gateway;
	uint8_t gateway[16];
};

static int link_info(const struct nlattr *attr, void *context)
{
	struct link *link = context;
	const struct nlattr *in;

	if (mnl_attr_get_type(attr) == IFLA_INFO_KIND)
		strncpy(link->kind, mnl_attr_get_str(attr),
			sizeof(link->kind) - 1);
	if (mnl_attr_get_type(attr) != IFLA_INFO_DATA ||
	    strcmp(link->kind, "vlan") != 0)
		return MNL_CB_OK;
	mnl_attr_for_each_nested(in, attr)
	{
		if (mnl_attr_get_type(in) == IFLA_VLAN_ID)
			link->vlan = mnl_attr_get_u16(in);
	}
	return MNL_CB_OK;
}

static int link_answer(const struct nlmsghdr *answer, void *context)
{
	struct link *link = context;
	const struct nlattr *attr;
	bool elsewhere = false;

	mnl_attr_for_each(attr, answer, sizeof(struct ifinfomsg))
	{
		switch (mnl_attr_get_type(attr)) {
		case IFLA_LINK:
			link->lower = (int)mnl_attr_get_u32(attr);
			break;
		case IFLA_LINK_NETNSID:
			elsewhere = true;
			break;
		case IFLA_MASTER:
			link->master = (int)mnl_attr_get_u32(attr);
			break;
		case IFLA_LINKINFO:
			mnl_attr_parse_nested(attr, link_info, link);
			break;
		}
	}
	if (elsewhere)
		link->lower = 0;
	return MNL_CB_OK;
}

static int read_link(int ifindex, struct link *link)
{
	char buffer[QUESTION_BYTES]
		__attribute__((aligned(__alignof__(struct nlmsghdr))));
	struct nlmsghdr *question = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *about =
		mnl_nlmsg_put_extra_header(question, sizeof(*about));

	question->nlmsg_type = RTM_GETLINK;
	about->ifi_index = ifindex;
	*link = (struct link){ .vlan = -1 };
	return sl_rtnl_ask(question, link_answer, link);
}

static size_t bytes_of(const struct sl_prefix *address)
{
	return address->family == 4 ? 4 : 16;
}

static int route_answer(const struct nlmsghdr *answer, void *context)
{
	struct route *route = context;
	const struct nlattr *attr;

	mnl_attr_for_each(attr, answer, sizeof(struct rtmsg))
	{
		size_t bytes = mnl_attr_get_payload_len(attr);

		if (mnl_attr_get_type(attr) == RTA_OIF) {
			route->ifindex = (int)mnl_attr_get_u32(attr);
		} else if (mnl_attr_get_type(attr) == RTA_GATEWAY &&
			   bytes <= sizeof(route->gateway)) {
			memcpy(route->gateway, mnl_attr_get_payload(attr),
			       bytes);
			route->has_gateway = true;
		}
	}
	return MNL_CB_OK;
}

static int read_route(const struct sl_prefix *peer, const struct sl_prefix *own,
		      struct route *route)
{
	char buffer[QUESTION_BYTES]
		__attribute__((aligned(__alignof__(struct nlmsghdr))));
	struct nlmsghdr *question = mnl_nlmsg_put_header(buffer);
	struct rtmsg *about =
		mnl_nlmsg_put_extra_header(question, sizeof(*about));
	size_t bytes = bytes_of(peer);

	question->nlmsg_type = RTM_GETROUTE;
	about->rtm_family = peer->family == 4 ? AF_INET : AF_INET6;
	about->rtm_dst_len = (uint8_t)(8 * bytes);
	about->rtm_src_len = (uint8_t)(8 * bytes);
	mnl_attr_put(question, RTA_DST, bytes, peer->addr);
	mnl_attr_put(question, RTA_SRC, bytes, own->addr);
	return sl_rtnl_ask(question, route_answer, route);
}

static int neighbour_answer(const struct nlmsghdr *answer, void *context)
{
	struct sl_ways *ways = context;
	const struct nlattr *attr;

	mnl_attr_for_each(attr, answer, sizeof(struct ndmsg))
	{
		if (mnl_attr_get_type(attr) != NDA_LLADDR ||
		    mnl_attr_get_payload_len(attr) != sizeof(ways->mac))
			continue;
		memcpy(ways->mac, mnl_attr_get_payload(attr),
		       sizeof(ways->mac));
		ways->has_mac = true;
	}
	return MNL_CB_OK;
}

static void read_neighbour(const struct sl_prefix *peer,
			   const struct route *route, struct sl_ways *ways)
{
	char buffer[QUESTION_BYTES]
		__attribute__((aligned(__alignof__(struct nlmsghdr))));
	struct nlmsghdr *question = mnl_nlmsg_put_header(buffer);
	struct ndmsg *about =
		mnl_nlmsg_put_extra_header(question, sizeof(*about));

	question->nlmsg_type = RTM_GETNEIGH;
	about->ndm_family = peer->family == 4 ? AF_INET : AF_INET6;
	about->ndm_ifindex = route->ifindex;
	mnl_attr_put(question, NDA_DST, bytes_of(peer),
		     route->has_gateway ? route->gateway : peer->addr);
	sl_rtnl_ask(question, neighbour_answer, ways);
}

static void expand(struct sl_ways *ways, struct sl_way way, unsigned depth);

static void expand_ports(struct sl_ways *ways, const struct sl_way *way,
			 unsigned depth)
{
	struct if_nameindex *all = if_nameindex();

	for (size_t i = 0; all && all[i].if_index; i++) {
		struct sl_way port = *way;
		struct link link;

		port.ifindex = (int)all[i].if_index;
		if (read_link(port.ifindex, &link) == 0 &&
		    link.master == way->ifindex)
			expand(ways, port, depth + 1);
	}
	if (all)
		if_freenameindex(all);
}

static void expand(struct sl_ways *ways, struct sl_way way, unsigned depth)
{
	struct link link;

	if (ways->n == SL_WAYS_MAX || depth > DEPTH_MAX)
		return;
	ways->items[ways->n++] = way;
	if (read_link(way.ifindex, &link))
		return;
	if (link.vlan >= 0 || strncmp(link.kind, "macv", 4) == 0 ||
	    strcmp(link.kind, "ipvlan") == 0) {
		struct sl_way lower = way;

		if (link.vlan >= 0 && lower.n_tags < SL_WAY_TAGS) {
			/* What lies below is the outer tag. */
			lower.tags[1] = lower.tags[0];
			lower.tags[0] = (uint16_t)link.vlan;
			lower.n_tags++;
		}
		lower.ifindex = link.lower;
		if (lower.ifindex)
			expand(ways, lower, depth + 1);
	} else {
		expand_ports(ways, &way, depth);
	}
}

int sl_ways_find(const struct sl_prefix *peer, const struct sl_prefix *own,
		 struct sl_ways *ways)
{
	struct route route = { 0 };
	int err = read_route(peer, own, &route);

	*ways = (struct sl_ways){ 0 };
	if (err)
		return err;
	if (!route.ifindex)
		return -ENETUNREACH;
	read_neighbour(peer, &route, ways);
	expand(ways, (struct sl_way){ .ifindex = route.ifindex }, 0);
	return 0;
}

size_t sl_way_vlans(int ifindex, uint16_t *vlans, size_t most)
{
	struct if_nameindex *all = if_nameindex();
	size_t n = 0;

	for (size_t i = 0; all && all[i].if_index && n < most; i++) {
		struct link link;

		if (read_link((int)all[i].if_index, &link) == 0 &&
		    link.vlan >= 0 && link.lower == ifindex)
			vlans[n++] = (uint16_t)link.vlan;
	}
	if (all)
		if_freenameindex(all);
	return n;
}
