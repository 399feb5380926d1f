// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "kin.h"

#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdint.h>

#include "lib/rtnl.h"

/* What RTM_GETLINK says of one interface; an index of 0: none. */
struct relatives {
	int link; /* IFLA_LINK: the peer of a veth, the lower device of a VLAN */
	int master;
	bool elsewhere; /* the link is in another network namespace */
};

static int attribute(const struct nlattr *attr, void *context)
{
	struct relatives *relatives = context;

	if (mnl_attr_get_type(attr) == IFLA_LINK)
		relatives->link = (int)mnl_attr_get_u32(attr);
	else if (mnl_attr_get_type(attr) == IFLA_MASTER)
		relatives->master = (int)mnl_attr_get_u32(attr);
	else if (mnl_attr_get_type(attr) == IFLA_LINK_NETNSID)
		relatives->elsewhere = true;
	return MNL_CB_OK;
}

static int message(const struct nlmsghdr *header, void *context)
{
	return mnl_attr_parse(header, sizeof(struct ifinfomsg), attribute,
			      context);
}

static int ask(int ifindex, struct relatives *relatives)
{
	char buffer[64] __attribute__((aligned(8)));
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *info;
	int err;

	header->nlmsg_type = RTM_GETLINK;
	info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
	info->ifi_index = ifindex;
	err = sl_rtnl_ask(header, message, relatives);
	if (relatives->elsewhere)
		relatives->link = 0;
	return err;
}

int sl_fwd_kin(int ifindex_a, int ifindex_b, bool *kin)
{
	struct relatives a = { 0 }, b = { 0 };
	int err = ask(ifindex_a, &a);

	if (!err)
		err = ask(ifindex_b, &b);
	if (err)
		return err;
	*kin = ifindex_a == ifindex_b || a.link == ifindex_b ||
	       b.link == ifindex_a || a.master == ifindex_b ||
	       b.master == ifindex_a;
	return 0;
}
