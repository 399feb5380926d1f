// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "doctor_nic.h"

#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "attach.h"
#include "error.h"

struct sl_nic_queue *sl_nic_add_queue(struct sl_nic *nic, uint32_t id, bool tx)
{
	struct sl_nic_queue *more = reallocarray(
		nic->queues.items, nic->queues.n + 1, sizeof(*more));

	if (!more)
		return NULL;
	nic->queues.items = more;
	more += nic->queues.n++;
	*more = (struct sl_nic_queue){
		.id = id,
		.tx = tx,
		.irq = SL_NIC_UNKNOWN,
		.polling = { .err = -EOPNOTSUPP,
			     .suspend_err = -EOPNOTSUPP,
			     .threaded_err = -EOPNOTSUPP },
	};
	return more;
}

size_t sl_nic_count_queues(const struct sl_nic *nic, bool tx)
{
	size_t n = 0;

	for (size_t i = 0; i < nic->queues.n; i++)
		n += nic->queues.items[i].tx == tx;
	return n;
}

static int read_flags(struct sl_nic *nic)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = { 0 };
	int err = 0;

	if (fd < 0)
		return -errno;
	memcpy(request.ifr_name, nic->name, IF_NAMESIZE);
	if (ioctl(fd, SIOCGIFFLAGS, &request)) {
		err = -errno;
	} else {
		nic->loopback = request.ifr_flags & IFF_LOOPBACK;
		nic->up = request.ifr_flags & IFF_UP;
		nic->running = request.ifr_flags & IFF_RUNNING;
		nic->promiscuous = request.ifr_flags & IFF_PROMISC;
	}
	if (!err && !ioctl(fd, SIOCGIFMTU, &request))
		nic->mtu = (uint32_t)request.ifr_mtu;
	close(fd);
	return err;
}

/* The id of the link that holds a program here; 0: none, or not to be seen. */
static uint32_t find_link(int ifindex, uint32_t program)
{
	uint32_t id = 0;

	while (!bpf_link_get_next_id(id, &id)) {
		struct bpf_link_info info = { 0 };
		uint32_t bytes = sizeof(info);
		int fd = bpf_link_get_fd_by_id(id);
		bool found;

		if (fd < 0)
			continue;
		found = !bpf_obj_get_info_by_fd(fd, &info, &bytes) &&
			info.type == BPF_LINK_TYPE_XDP &&
			info.xdp.ifindex == (uint32_t)ifindex &&
			info.prog_id == program;
		close(fd);
		if (found)
			return id;
	}
	return 0;
}

void sl_nic_read_holder(struct sl_nic *nic)
{
	uint32_t program = nic->attached.native ? nic->attached.native :
						  nic->attached.generic;
	size_t bytes = sizeof(nic->attached.how);
	struct sl_attachment attachment;
	struct sl_error error;
	uint32_t link;

	if (nic->attached.err || !program ||
	    sl_attachment_open(nic->name, &attachment, &error))
		return;
	snprintf(nic->attached.name, sizeof(nic->attached.name), "%s",
		 attachment.prog_name);
	if (attachment.how == SL_ATTACHED_LINK)
		snprintf(nic->attached.how, bytes, "Sluice's link");
	else if (attachment.how == SL_ATTACHED_SHARED)
		snprintf(nic->attached.how, bytes, "libxdp's dispatcher");
	else if ((link = find_link(nic->ifindex, program)))
		snprintf(nic->attached.how, bytes, "bpf_link %u", link);
	else if (*attachment.prog_name)
		snprintf(nic->attached.how, bytes, "netlink");
	sl_attachment_close(&attachment);
}

static void read_attached(struct sl_nic *nic)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);

	nic->attached.err = bpf_xdp_query(nic->ifindex, 0, &query);
	if (nic->attached.err)
		return;
	nic->attached.native = query.drv_prog_id;
	nic->attached.generic = query.skb_prog_id;
	nic->attached.offload = query.hw_prog_id;
}

static int compare_queues(const void *a, const void *b)
{
	const struct sl_nic_queue *p = a, *q = b;

	if (p->tx != q->tx)
		return p->tx ? 1 : -1;
	return p->id < q->id ? -1 : p->id > q->id;
}

int sl_nic_read(const char *name, struct sl_nic *nic)
{
	struct sl_nic new = { .ifindex = (int)if_nametoindex(name) };
	int err;

	if (!new.ifindex || strlen(name) >= IF_NAMESIZE)
		return -ENODEV;
	strcpy(new.name, name);
	err = read_flags(&new);
	if (err)
		return err;
	read_attached(&new);
	sl_nic_read_ethtool(&new);
	err = sl_nic_read_netdev(&new);
	if (!err)
		err = sl_nic_read_sysfs(&new);
	if (!err)
		err = sl_nic_read_irqs(&new);
	if (err) {
		sl_nic_fini(&new);
		return err;
	}
	if (new.queues.n)
		qsort(new.queues.items, new.queues.n, sizeof(*new.queues.items),
		      compare_queues);
	sl_nic_read_sockets(&new);
	*nic = new;
	return 0;
}

void sl_nic_fini(struct sl_nic *nic)
{
	free(nic->rss.table);
	free(nic->queues.items);
	free(nic->irqs.items);
	nic->rss.table = NULL;
	nic->queues.items = NULL;
	nic->irqs.items = NULL;
}
