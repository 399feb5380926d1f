// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * What ethtool tells of an interface. By netlink what may be missing one
 * parameter at a time (a driver that cannot coalesce frames leaves that
 * attribute out, where the ioctl says 0); by ioctl the driver's name, and the
 * RSS table, which netlink has only since Linux 6.3.
 */
#include "doctor_nic.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/ethtool_netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ethtool.h"
#include "genl.h"

static uint32_t number(const struct nlattr *attribute)
{
	return (uint32_t)sl_genl_number(attribute);
}

static int read_rings(const struct nlmsghdr *message, void *data)
{
	const struct nlattr *of[ETHTOOL_A_RINGS_MAX + 1];
	struct sl_nic *nic = data;

	sl_genl_attributes(message, of, ETHTOOL_A_RINGS_MAX);
	nic->rings.rx = number(of[ETHTOOL_A_RINGS_RX]);
	nic->rings.rx_max = number(of[ETHTOOL_A_RINGS_RX_MAX]);
	nic->rings.tx = number(of[ETHTOOL_A_RINGS_TX]);
	nic->rings.tx_max = number(of[ETHTOOL_A_RINGS_TX_MAX]);
	return MNL_CB_OK;
}

static int read_channels(const struct nlmsghdr *message, void *data)
{
	const struct nlattr *of[ETHTOOL_A_CHANNELS_MAX + 1];
	uint32_t combined, combined_max;
	struct sl_nic *nic = data;

	sl_genl_attributes(message, of, ETHTOOL_A_CHANNELS_MAX);
	combined = number(of[ETHTOOL_A_CHANNELS_COMBINED_COUNT]);
	combined_max = number(of[ETHTOOL_A_CHANNELS_COMBINED_MAX]);
	nic->channels.rx = combined + number(of[ETHTOOL_A_CHANNELS_RX_COUNT]);
	nic->channels.tx = combined + number(of[ETHTOOL_A_CHANNELS_TX_COUNT]);
	/* A driver with both kinds has as many queues in either form. */
	nic->channels.rx_max = number(of[ETHTOOL_A_CHANNELS_RX_MAX]);
	nic->channels.tx_max = number(of[ETHTOOL_A_CHANNELS_TX_MAX]);
	if (nic->channels.rx_max < combined_max)
		nic->channels.rx_max = combined_max;
	if (nic->channels.tx_max < combined_max)
		nic->channels.tx_max = combined_max;
	return MNL_CB_OK;
}

static int read_coalesce(const struct nlmsghdr *message, void *data)
{
	const struct nlattr *of[ETHTOOL_A_COALESCE_MAX + 1];
	struct sl_nic *nic = data;

	sl_genl_attributes(message, of, ETHTOOL_A_COALESCE_MAX);
	nic->coalesce.has_usecs = of[ETHTOOL_A_COALESCE_RX_USECS];
	nic->coalesce.rx_usecs = number(of[ETHTOOL_A_COALESCE_RX_USECS]);
	nic->coalesce.has_frames = of[ETHTOOL_A_COALESCE_RX_MAX_FRAMES];
	nic->coalesce.rx_frames = number(of[ETHTOOL_A_COALESCE_RX_MAX_FRAMES]);
	nic->coalesce.has_adaptive = of[ETHTOOL_A_COALESCE_USE_ADAPTIVE_RX];
	nic->coalesce.adaptive = number(of[ETHTOOL_A_COALESCE_USE_ADAPTIVE_RX]);
	return MNL_CB_OK;
}

/* The names are those of `ethtool -k --json`'s short form, netdev_features. */
static void set_offload(struct sl_nic *nic, const char *name)
{
	const struct {
		const char *name;
		bool *on;
	} known[] = {
		{ "rx-gro", &nic->offload.gro },
		{ "rx-gro-hw", &nic->offload.gro_hw },
		{ "rx-lro", &nic->offload.lro },
		{ "tx-tcp-segmentation", &nic->offload.tso },
		{ "tx-generic-segmentation", &nic->offload.gso },
		{ "tx-checksum-ipv4", &nic->offload.tx_checksum },
		{ "tx-checksum-ip-generic", &nic->offload.tx_checksum },
		{ "rx-vlan-hw-parse", &nic->offload.rx_vlan },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(name, known[i].name) == 0)
			*known[i].on = true;
}

/* One bit of a bit set without a mask: it is listed when it is set. */
static int read_bit(const struct nlattr *attribute, void *data)
{
	const struct nlattr *of[ETHTOOL_A_BITSET_BIT_MAX + 1];

	sl_genl_nested(attribute, of, ETHTOOL_A_BITSET_BIT_MAX);
	if (of[ETHTOOL_A_BITSET_BIT_NAME])
		set_offload(data,
			    mnl_attr_get_str(of[ETHTOOL_A_BITSET_BIT_NAME]));
	return MNL_CB_OK;
}

static int read_offload(const struct nlmsghdr *message, void *data)
{
	const struct nlattr *of[ETHTOOL_A_FEATURES_MAX + 1];
	const struct nlattr *set[ETHTOOL_A_BITSET_MAX + 1];

	sl_genl_attributes(message, of, ETHTOOL_A_FEATURES_MAX);
	sl_genl_nested(of[ETHTOOL_A_FEATURES_ACTIVE], set,
		       ETHTOOL_A_BITSET_MAX);
	if (set[ETHTOOL_A_BITSET_BITS])
		mnl_attr_parse_nested(set[ETHTOOL_A_BITSET_BITS], read_bit,
				      data);
	return MNL_CB_OK;
}

/* The header of every request of the family has the same number, 1. */
static int ask(struct sl_genl *genl, uint8_t command, mnl_cb_t answer,
	       struct sl_nic *nic)
{
	struct nlmsghdr *message;
	struct nlattr *header;

	if (!genl->has[command])
		return -EOPNOTSUPP;
	message = sl_genl_begin(genl, command, false);
	header = mnl_attr_nest_start(message, 1);
	mnl_attr_put_u32(message, ETHTOOL_A_HEADER_DEV_INDEX,
			 (uint32_t)nic->ifindex);
	mnl_attr_nest_end(message, header);
	return sl_genl_ask(genl, answer, nic);
}

static void read_driver(struct sl_nic *nic)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct ethtool_value link = { .cmd = ETHTOOL_GLINK };

	/* IFF_RUNNING follows the carrier up to a second late. */
	if (nic->up && !sl_ethtool(nic->name, &link))
		nic->running = link.data;

	if (sl_ethtool(nic->name, &info))
		return;
	snprintf(nic->driver, sizeof(nic->driver), "%s", info.driver);
	snprintf(nic->version, sizeof(nic->version), "%s", info.version);
	snprintf(nic->bus, sizeof(nic->bus), "%s", info.bus_info);
}

static int read_rss(struct sl_nic *nic)
{
	struct ethtool_rxfh_indir *indirection;
	int err = sl_ethtool_rss(nic->name, &indirection);

	if (err)
		return err;
	nic->rss.table = calloc(indirection->size, sizeof(uint32_t));
	if (nic->rss.table) {
		nic->rss.n = indirection->size;
		memcpy(nic->rss.table, indirection->ring_index,
		       indirection->size * sizeof(uint32_t));
	}
	free(indirection);
	return nic->rss.table ? 0 : -ENOMEM;
}

void sl_nic_read_ethtool(struct sl_nic *nic)
{
	struct sl_genl genl;
	int err = sl_genl_open(ETHTOOL_GENL_NAME, &genl);

	read_driver(nic);
	nic->rss.err = read_rss(nic);
	if (err) {
		nic->rings.err = nic->channels.err = err;
		nic->coalesce.err = nic->offload.err = err;
		return;
	}
	nic->rings.err = ask(&genl, ETHTOOL_MSG_RINGS_GET, read_rings, nic);
	nic->channels.err =
		ask(&genl, ETHTOOL_MSG_CHANNELS_GET, read_channels, nic);
	nic->coalesce.err =
		ask(&genl, ETHTOOL_MSG_COALESCE_GET, read_coalesce, nic);
	nic->offload.err =
		ask(&genl, ETHTOOL_MSG_FEATURES_GET, read_offload, nic);
	sl_genl_close(&genl);
}
