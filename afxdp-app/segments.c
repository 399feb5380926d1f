// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "segments.h"

#include <linux/if_ether.h>

#include "lib/genl.h"
#include "lib/netdev_uapi.h"
#include "umem.h"

/* The MTU leaves out the Ethernet header and up to two VLAN tags. */
#define HEAD_BYTES (ETH_HLEN + 2 * 4)

static int device_read(const struct nlmsghdr *message, void *data)
{
	const struct nlattr *of[SL_NETDEV_DEV_MAX + 1];
	uint32_t *segments = data;

	sl_genl_attributes(message, of, SL_NETDEV_DEV_MAX);
	*segments = (uint32_t)sl_genl_number(of[SL_NETDEV_DEV_ZC_MAX_SEGS]);
	return MNL_CB_OK;
}

uint32_t sl_fwd_segments_read(int ifindex)
{
	struct nlmsghdr *message;
	struct sl_genl genl;
	uint32_t segments = 0;

	if (sl_genl_open(SL_NETDEV_FAMILY, &genl))
		return 0;
	message = sl_genl_begin(&genl, SL_NETDEV_DEV_GET, false);
	mnl_attr_put_u32(message, SL_NETDEV_DEV_IFINDEX, (uint32_t)ifindex);
	if (sl_genl_ask(&genl, device_read, &segments))
		segments = 0;
	sl_genl_close(&genl);
	return segments;
}

uint32_t sl_fwd_segments_wanted(uint32_t mtu)
{
	return (mtu + HEAD_BYTES + SL_FRAME_PACKET - 1) / SL_FRAME_PACKET;
}

uint32_t sl_fwd_segments_mtu(uint32_t segments)
{
	return segments * SL_FRAME_PACKET - HEAD_BYTES;
}
