// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "nic.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>

static int attribute(const struct nlattr *attr, void *context)
{
	struct rtnl_link_stats64 stats = { 0 };
	struct sl_fwd_nic *nic = context;
	size_t bytes = mnl_attr_get_payload_len(attr);

	if (mnl_attr_get_type(attr) != IFLA_STATS_LINK_64)
		return MNL_CB_OK;
	/* It grows from kernel to kernel; ours are all of the oldest. */
	memcpy(&stats, mnl_attr_get_payload(attr),
	       bytes < sizeof(stats) ? bytes : sizeof(stats));
#define X(name) nic->name = stats.name;
	SL_FWD_NIC_COUNTERS(X)
#undef X
	return MNL_CB_OK;
}

static int message(const struct nlmsghdr *header, void *context)
{
	return mnl_attr_parse(header, sizeof(struct if_stats_msg), attribute,
			      context);
}

static int ask(struct mnl_socket *socket, int ifindex, struct sl_fwd_nic *nic)
{
	char buffer[8192] __attribute__((aligned(8))) = { 0 };
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
	struct if_stats_msg *question;
	ssize_t n;

	header->nlmsg_type = RTM_GETSTATS;
	header->nlmsg_flags = NLM_F_REQUEST;
	question = mnl_nlmsg_put_extra_header(header, sizeof(*question));
	question->ifindex = (uint32_t)ifindex;
	question->filter_mask =
		IFLA_STATS_FILTER_BIT((unsigned int)IFLA_STATS_LINK_64);
	if (mnl_socket_sendto(socket, header, header->nlmsg_len) < 0)
		return -errno;
	n = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
	if (n < 0)
		return -errno;
	return mnl_cb_run(buffer, (size_t)n, 0, 0, message, nic) < 0 ? -errno :
								       0;
}

int sl_fwd_nic_read(int ifindex, struct sl_fwd_nic *nic)
{
	struct mnl_socket *socket =
		mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	struct sl_fwd_nic new = { 0 };
	int err;

	if (!socket)
		return -errno;
	err = mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) ? -errno : 0;
	if (!err)
		err = ask(socket, ifindex, &new);
	mnl_socket_close(socket);
	if (!err)
		*nic = new;
	return err;
}

int sl_fwd_nic_since(const struct sl_fwd_nic *now,
		     const struct sl_fwd_nic *before, struct sl_fwd_nic *since)
{
	struct sl_fwd_nic new;

#define X(name)                       \
	if (now->name < before->name) \
		return -ERANGE;       \
	new.name = now->name - before->name;
	SL_FWD_NIC_COUNTERS(X)
#undef X
	*since = new;
	return 0;
}

bool sl_fwd_nic_exact(const char *driver)
{
	static const char *const exact[] = { "veth", "virtio_net", "igb" };

	for (size_t i = 0; i < sizeof(exact) / sizeof(exact[0]); i++)
		if (!strcmp(driver, exact[i]))
			return true;
	return false;
}
