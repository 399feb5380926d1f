// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "kin.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdint.h>

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

static int ask(struct mnl_socket *socket, int ifindex,
	       struct relatives *relatives)
{
	char buffer[32768] __attribute__((aligned(8))) = { 0 };
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *info;
	ssize_t n;

	header->nlmsg_type = RTM_GETLINK;
	header->nlmsg_flags = NLM_F_REQUEST;
	info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
	info->ifi_index = ifindex;
	if (mnl_socket_sendto(socket, header, header->nlmsg_len) < 0)
		return -errno;
	n = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
	if (n < 0)
		return -errno;
	*relatives = (struct relatives){ 0 };
	if (mnl_cb_run(buffer, (size_t)n, 0, 0, message, relatives) < 0)
		return -errno;
	if (relatives->elsewhere)
		relatives->link = 0;
	return 0;
}

int sl_fwd_kin(int ifindex_a, int ifindex_b, bool *kin)
{
	struct mnl_socket *socket =
		mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	struct relatives a = { 0 }, b = { 0 };
	int err;

	if (!socket)
		return -errno;
	err = mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) ? -errno : 0;
	if (!err)
		err = ask(socket, ifindex_a, &a);
	if (!err)
		err = ask(socket, ifindex_b, &b);
	mnl_socket_close(socket);
	if (err)
		return err;
	*kin = ifindex_a == ifindex_b || a.link == ifindex_b ||
	       b.link == ifindex_a || a.master == ifindex_b ||
	       b.master == ifindex_a;
	return 0;
}
