// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * What netdev-genl tells of an interface: XDP features, its queues, and the
 * NAPI instances behind them (Documentation/netlink/specs/netdev.yaml).
 */
#include "doctor_nic.h"

#include <errno.h>

#include "genl.h"
#include "netdev_uapi.h"

static int read_device(const struct nlmsghdr *message, void *data)
{
	const struct nlattr *of[SL_NETDEV_DEV_MAX + 1];
	struct sl_nic *nic = data;

	sl_genl_attributes(message, of, SL_NETDEV_DEV_MAX);
	nic->xdp.features = sl_genl_number(of[SL_NETDEV_DEV_XDP_FEATURES]);
	nic->xdp.has_segments = of[SL_NETDEV_DEV_ZC_MAX_SEGS];
	nic->xdp.zc_segments =
		(uint32_t)sl_genl_number(of[SL_NETDEV_DEV_ZC_MAX_SEGS]);
	nic->xdp.has_metadata = of[SL_NETDEV_DEV_RX_METADATA];
	nic->xdp.metadata = sl_genl_number(of[SL_NETDEV_DEV_RX_METADATA]);
	return MNL_CB_OK;
}

static int read_queue(const struct nlmsghdr *message, void *data)
{
	const struct nlattr *of[SL_NETDEV_QUEUE_MAX + 1];
	struct sl_nic_queue *queue;
	struct sl_nic *nic = data;

	sl_genl_attributes(message, of, SL_NETDEV_QUEUE_MAX);
	queue = sl_nic_add_queue(
		nic, (uint32_t)sl_genl_number(of[SL_NETDEV_QUEUE_ID]),
		sl_genl_number(of[SL_NETDEV_QUEUE_TYPE]));
	if (!queue) {
		errno = ENOMEM;
		return MNL_CB_ERROR;
	}
	queue->socket = of[SL_NETDEV_QUEUE_XSK];
	queue->napi = (uint32_t)sl_genl_number(of[SL_NETDEV_QUEUE_NAPI_ID]);
	return MNL_CB_OK;
}

static void set_polling(const struct nlattr **of, struct sl_nic_polling *p)
{
	if (of[SL_NETDEV_NAPI_DEFER_HARD_IRQS]) {
		p->err = 0;
		p->defer_hard_irqs =
			sl_genl_number(of[SL_NETDEV_NAPI_DEFER_HARD_IRQS]);
		p->gro_flush_ns =
			sl_genl_number(of[SL_NETDEV_NAPI_GRO_FLUSH_TIMEOUT]);
	}
	if (of[SL_NETDEV_NAPI_IRQ_SUSPEND_TIMEOUT]) {
		p->suspend_err = 0;
		p->suspend_ns =
			sl_genl_number(of[SL_NETDEV_NAPI_IRQ_SUSPEND_TIMEOUT]);
	}
	if (of[SL_NETDEV_NAPI_THREADED]) {
		p->threaded_err = 0;
		p->threaded =
			(unsigned)sl_genl_number(of[SL_NETDEV_NAPI_THREADED]);
	}
}

static int read_napi(const struct nlmsghdr *message, void *data)
{
	const struct nlattr *of[SL_NETDEV_NAPI_MAX + 1];
	struct sl_nic *nic = data;
	uint32_t id;

	sl_genl_attributes(message, of, SL_NETDEV_NAPI_MAX);
	id = (uint32_t)sl_genl_number(of[SL_NETDEV_NAPI_ID]);
	for (size_t i = 0; id && i < nic->queues.n; i++) {
		struct sl_nic_queue *queue = &nic->queues.items[i];

		if (queue->napi != id)
			continue;
		set_polling(of, &queue->polling);
		if (of[SL_NETDEV_NAPI_IRQ])
			queue->irq =
				(int)sl_genl_number(of[SL_NETDEV_NAPI_IRQ]);
	}
	return MNL_CB_OK;
}

/* One of the dumps that are kept to an interface. */
static int dump(struct sl_genl *genl, uint8_t command, uint16_t ifindex_type,
		mnl_cb_t answer, struct sl_nic *nic)
{
	struct nlmsghdr *message;

	if (!genl->has[command])
		return -EOPNOTSUPP;
	message = sl_genl_begin(genl, command, true);
	mnl_attr_put_u32(message, ifindex_type, (uint32_t)nic->ifindex);
	return sl_genl_ask(genl, answer, nic);
}

static int read_features(struct sl_genl *genl, struct sl_nic *nic)
{
	struct nlmsghdr *message =
		sl_genl_begin(genl, SL_NETDEV_DEV_GET, false);

	mnl_attr_put_u32(message, SL_NETDEV_DEV_IFINDEX,
			 (uint32_t)nic->ifindex);
	return sl_genl_ask(genl, read_device, nic);
}

int sl_nic_read_netdev(struct sl_nic *nic)
{
	struct sl_genl genl;
	int err = sl_genl_open(SL_NETDEV_FAMILY, &genl);

	if (err) {
		nic->xdp.err = nic->queues.err = err;
		return 0;
	}
	nic->xdp.err = read_features(&genl, nic);
	nic->queues.err = dump(&genl, SL_NETDEV_QUEUE_GET,
			       SL_NETDEV_QUEUE_IFINDEX, read_queue, nic);
	if (!nic->queues.err)
		dump(&genl, SL_NETDEV_NAPI_GET, SL_NETDEV_NAPI_IFINDEX,
		     read_napi, nic);
	sl_genl_close(&genl);
	return nic->queues.err == -ENOMEM ? -ENOMEM : 0;
}
