// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "iface.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/sysfs.h"
#include "umem.h"

static int ethtool(int fd, const char *name, void *command)
{
	struct ifreq request = { .ifr_data = command };

	memcpy(request.ifr_name, name, IF_NAMESIZE);
	return ioctl(fd, SIOCETHTOOL, &request) ? -errno : 0;
}

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
	if (!ethtool(fd, name, &channels)) {
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
	if (!ethtool(fd, name, &link))
		return link.data;
	return true;
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
	/* The MTU leaves out the Ethernet header and up to two VLAN tags. */
	return mtu + ETH_HLEN + 2 * 4 > SL_FRAME_PACKET;
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
	*iface = new;
	return 0;
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

void sl_fwd_iface_tally(struct sl_fwd_iface *iface)
{
	iface->forwarded = sl_fwd_filter_forwarded(&iface->filter) -
			   iface->forwarded_before;
	iface->counted = iface->filter.totals_fd >= 0;
}

void sl_fwd_iface_tally_from(struct sl_fwd_iface *iface,
			     const struct sl_fwd_filter *filter)
{
	/* Unsigned, and may pass below 0: only differences are used. */
	iface->forwarded_before =
		sl_fwd_filter_forwarded(filter) - iface->forwarded;
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
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	iface->up = link_read(fd, name);
	queues_read(fd, name, &iface->rx_queues_now, &iface->tx_queues_now);
	mtu_read(fd, name, &iface->mtu_now);
	close(fd);
}
