// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "nic.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "lib/rtnl.h"

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

int sl_fwd_nic_read(int ifindex, struct sl_fwd_nic *nic)
{
	char buffer[64] __attribute__((aligned(8)));
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
	struct if_stats_msg *question;
	struct sl_fwd_nic new = { 0 };
	int err;

	header->nlmsg_type = RTM_GETSTATS;
	question = mnl_nlmsg_put_extra_header(header, sizeof(*question));
	question->ifindex = (uint32_t)ifindex;
	question->filter_mask =
		IFLA_STATS_FILTER_BIT((unsigned int)IFLA_STATS_LINK_64);
	err = sl_rtnl_ask(header, message, &new);
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
