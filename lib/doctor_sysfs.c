// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * What only /sys tells of an interface, and its queues where netdev-genl does
 * not tell them (before Linux 6.8, or while the interface is down).
 */
#include "doctor_nic.h"

#include <errno.h>
#include <stdlib.h>

#include "sysfs.h"

static bool read_number(const struct sl_nic *nic, const char *file,
			long long *number)
{
	char text[32];

	if (!sl_sysfs_net_line(nic->name, file, text, sizeof(text)))
		return false;
	*number = strtoll(text, NULL, 10);
	return true;
}

static void read_polling(const struct sl_nic *nic, struct sl_nic_polling *p)
{
	long long defer = 0, flush = 0, threaded = 0;

	*p = (struct sl_nic_polling){ .suspend_err = -EOPNOTSUPP };
	if (!read_number(nic, "napi_defer_hard_irqs", &defer) ||
	    !read_number(nic, "gro_flush_timeout", &flush))
		p->err = -EOPNOTSUPP;
	/* Files that an interface without NAPI has, too, and cannot be read. */
	if (!read_number(nic, "threaded", &threaded))
		p->threaded_err = -EOPNOTSUPP;
	p->defer_hard_irqs = (uint64_t)defer;
	p->gro_flush_ns = (uint64_t)flush;
	p->threaded = (unsigned)threaded;
}

static int add_queues(struct sl_nic *nic, uint32_t n, bool tx)
{
	for (uint32_t i = 0; i < n; i++)
		if (!sl_nic_add_queue(nic, i, tx))
			return -ENOMEM;
	return 0;
}

static int list_queues(struct sl_nic *nic)
{
	uint32_t rx = nic->channels.rx, tx = nic->channels.tx;
	int err;

	if (nic->sysfs.visible) {
		rx = sl_sysfs_net_queues(nic->name, "rx-");
		tx = sl_sysfs_net_queues(nic->name, "tx-");
	}
	err = add_queues(nic, rx, false);
	return err ? err : add_queues(nic, tx, true);
}

int sl_nic_read_sysfs(struct sl_nic *nic)
{
	long long node;

	nic->sysfs.numa_node = SL_NIC_UNKNOWN;
	nic->sysfs.visible = sl_sysfs_net_shows(nic->name, nic->ifindex);
	if (nic->sysfs.visible) {
		read_polling(nic, &nic->sysfs.polling);
		if (read_number(nic, "device/numa_node", &node))
			nic->sysfs.numa_node = (int)node;
		sl_sysfs_net_line(nic->name, "device/local_cpulist",
				  nic->sysfs.local_cpus,
				  sizeof(nic->sysfs.local_cpus));
	}
	return nic->queues.n ? 0 : list_queues(nic);
}
