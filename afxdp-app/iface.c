// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "iface.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/ethtool.h"
#include "lib/sysfs.h"
#include "segments.h"

static uint32_t queues_by_sysfs(const char *name, const char *prefix)
{
	uint32_t n = 0;

	if (sl_sysfs_net_shows(name, (int)if_nametoindex(name)))
		n = sl_sysfs_net_queues(name, prefix);
	return n ? n : 1;
}

static void queues_read(int fd, const char *name, uint32_t *rx, uint32_t *tx)
{
	struct ethtool_channels channels = { .cmd = ETHTOOL_GCHANNELS };

	*rx = *tx = 0;
	if (!sl_ethtool_by(fd, name, &channels)) {
		*rx = channels.combined_count + channels.rx_count;
		*tx = channels.combined_count + channels.tx_count;
	}
	if (!*rx)
		*rx = queues_by_sysfs(name, "rx-");
	if (!*tx)
		*tx = queues_by_sysfs(name, "tx-");
}

static bool link_read(int fd, const char *name)
{
	struct ethtool_value link = { .cmd = ETHTOOL_GLINK };
	struct ifreq request = { 0 };

	memcpy(request.ifr_name, name, IF_NAMESIZE);
	if (ioctl(fd, SIOCGIFFLAGS, &request) || !(request.ifr_flags & IFF_UP))
		return false;
	/* Not IFF_RUNNING: that follows the carrier up to a second late. */
	if (!sl_ethtool_by(fd, name, &link))
		return link.data;
	return true;
}

static bool exact_read(const char *name)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };

	return !sl_ethtool(name, &info) && sl_fwd_nic_exact(info.driver);
}

/* veth has none: what it sends is the other end's at once. */
static bool tx_ring_read(const char *name)
{
	struct ethtool_ringparam ring = { .cmd = ETHTOOL_GRINGPARAM };

	return !sl_ethtool(name, &ring) && ring.tx_pending;
}

/* The last one stands where it cannot be read. */
static void mtu_read(int fd, const char *name, uint32_t *mtu)
{
	struct ifreq request = { 0 };

	memcpy(request.ifr_name, name, IF_NAMESIZE);
	if (!ioctl(fd, SIOCGIFMTU, &request))
		*mtu = (uint32_t)request.ifr_mtu;
}

bool sl_fwd_iface_jumbo(uint32_t mtu)
{
	return sl_fwd_segments_wanted(mtu) > 1;
}

int sl_fwd_iface_init(struct sl_fwd_iface *iface, const char *name)
{
	struct sl_fwd_iface new = { .filter = { .map_fd = -1, .totals_fd = -1 },
				    .promisc_fd = -1 };

	if (strlen(name) >= IF_NAMESIZE)
		return -ENODEV;
	strcpy(new.name, name);
	new.ifindex = (int)if_nametoindex(name);
	if (!new.ifindex)
		return -ENODEV;
	sl_fwd_iface_check(&new);
	if (new.gone)
		return -ENODEV;
	new.rx_queues = new.rx_queues_now;
	new.tx_queues = new.tx_queues_now;
	new.mtu = new.mtu_now;
	new.exact = exact_read(name);
	new.tx_ring = tx_ring_read(name);
	new.zc_segments = sl_fwd_segments_read(new.ifindex);
	*iface = new;
	return 0;
}

struct asked {
	int fd;
	const char *name;
};

static int asked_ethtool(void *context, void *command)
{
	const struct asked *asked = context;

	return sl_ethtool_by(asked->fd, asked->name, command);
}

int sl_fwd_iface_cover(struct sl_fwd_iface *iface)
{
	struct asked asked = { .fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC,
					    0),
			       .name = iface->name };
	int err;

	if (asked.fd < 0)
		return -errno;
	err = sl_fwd_coverage_read(asked_ethtool, &asked, iface->rx_queues,
				   &iface->coverage);
	close(asked.fd);
	if (err || !iface->coverage.gap)
		return err;
	sl_fwd_coverage_say(iface->name, iface->rx_queues, &iface->coverage);
	return -ERANGE;
}

int sl_fwd_iface_promiscuous(struct sl_fwd_iface *iface)
{
	struct packet_mreq request = { .mr_ifindex = iface->ifindex,
				       .mr_type = PACKET_MR_PROMISC };
	/* Protocol 0: it receives nothing. */
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request,
		       sizeof(request))) {
		err = -errno;
		close(fd);
		return err;
	}
	iface->promisc_fd = fd;
	return 0;
}

void sl_fwd_iface_close(struct sl_fwd_iface *iface)
{
	sl_fwd_filter_close(&iface->filter);
	if (iface->promisc_fd >= 0)
		close(iface->promisc_fd);
	iface->promisc_fd = -1;
}

void sl_fwd_ifaces_tally_begin(struct sl_fwd_iface *ifaces, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct sl_fwd_iface *iface = &ifaces[i];
		struct sl_fwd_tally_base *base = &iface->base;

		memset(base, 0, sizeof(*base));
		base->nic_known = !sl_fwd_nic_read(iface->ifindex, &base->nic);
		sl_fwd_filter_count(&iface->filter, &base->seen,
				    &base->forwarded);
	}
	/* The polls that the filter has counted packets of end, and the devices count them. */
	sl_fwd_filter_settle();
	for (uint32_t i = 0; i < n; i++) {
		struct sl_fwd_tally_base *base = &ifaces[i].base;
		struct sl_fwd_nic after = { 0 };

		if (sl_fwd_nic_read(ifaces[i].ifindex, &after))
			base->nic_known = false;
		base->rx_after = after.rx_packets;
	}
}

/* `before` and `after` were read before and after the filter's counts of *tally. */
static void nic_tally(struct sl_fwd_iface *iface,
		      const struct sl_fwd_nic *before,
		      const struct sl_fwd_nic *after)
{
	const struct sl_fwd_tally_base *base = &iface->base;
	struct sl_fwd_tally *tally = &iface->tally;
	const struct sl_fwd_tally_look begin = {
		.rx_before = base->nic.rx_packets,
		.rx_after = base->rx_after,
	};
	const struct sl_fwd_tally_look now = {
		.rx_before = before->rx_packets,
		.seen = tally->seen,
		.rx_after = after->rx_packets,
	};

	tally->nic_known = base->nic_known &&
			   !sl_fwd_nic_since(after, &base->nic, &tally->nic);
	tally->unseen_known = tally->nic_known && tally->counted &&
			      iface->exact && iface->filter.direct;
	if (tally->unseen_known)
		tally->unseen = sl_fwd_tally_unseen(&begin, &now);
}

void sl_fwd_iface_tally(struct sl_fwd_iface *iface)
{
	struct sl_fwd_nic before, after;
	uint64_t seen, forwarded;
	int err = sl_fwd_nic_read(iface->ifindex, &before);

	sl_fwd_filter_count(&iface->filter, &seen, &forwarded);
	if (!err)
		err = sl_fwd_nic_read(iface->ifindex, &after);
	iface->tally = (struct sl_fwd_tally){
		.seen = seen - iface->base.seen,
		.forwarded = forwarded - iface->base.forwarded,
		.counted = iface->filter.totals_fd >= 0,
	};
	if (!err)
		nic_tally(iface, &before, &after);
}

void sl_fwd_iface_tally_from(struct sl_fwd_iface *iface,
			     const struct sl_fwd_filter *filter)
{
	uint64_t seen, forwarded;

	sl_fwd_filter_count(filter, &seen, &forwarded);
	iface->base.seen = seen - iface->tally.seen;
	iface->base.forwarded = forwarded - iface->tally.forwarded;
}

void sl_fwd_iface_check(struct sl_fwd_iface *iface)
{
	char name[IF_NAMESIZE] = { 0 };
	int fd;

	if (iface->gone)
		return;
	/* By index: an interface may be renamed, and another one take its name. */
	if (!if_indextoname((unsigned int)iface->ifindex, name)) {
		iface->gone = errno == ENXIO || errno == ENODEV;
		iface->up = !iface->gone && iface->up;
		return;
	}
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	iface->up = link_read(fd, name);
	queues_read(fd, name, &iface->rx_queues_now, &iface->tx_queues_now);
	mtu_read(fd, name, &iface->mtu_now);
	close(fd);
}
