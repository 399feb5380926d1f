// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A worker learns of its surroundings by flags of a port: `link` is set here in the agent's copy,
 * those of busy polling in busy.c, and they go to the data plane as a message (channel.h). Everything
 * else that changes (a filter replaced, an interface deleted) is dealt with here. Each change is
 * said once.
 */
#include "watch.h"

#include <errno.h>
#include <stdio.h>

#include "forwarder.h"
#include "lib/config.h"
#include "mirror.h"
#include "say.h"
#include "privileges.h"
#include "rules.h"

int sl_fwd_watch_insert(const struct sl_fwd *fwd, uint32_t iface,
			const struct sl_fwd_filter *filter)
{
	int err = 0;

	for (uint32_t e = 0; e < fwd->plan.n_ends && !err; e++) {
		const struct sl_fwd_port *port = fwd->end_port[e];

		if (port->iface == iface && fwd->plan.ends[e].receives)
			err = sl_fwd_filter_insert(filter, port->queue,
						   port->xsk.fd);
	}
	return err;
}

void sl_fwd_watch_links(struct sl_fwd *fwd)
{
	for (uint32_t e = 0; e < fwd->plan.n_ends; e++) {
		struct sl_fwd_port *port = fwd->end_port[e];
		const struct sl_fwd_iface *iface = &fwd->ifaces[port->iface];
		bool link = iface->up && !iface->gone &&
			    port->queue < iface->tx_queues_now;

		__atomic_store_n(&port->link, link, __ATOMIC_RELAXED);
	}
}

void sl_fwd_watch_mtu(struct sl_fwd *fwd)
{
	for (uint32_t e = 0; e < fwd->plan.n_ends; e++) {
		const struct sl_fwd_port *port = fwd->end_port[e];
		struct sl_fwd_iface *iface = &fwd->ifaces[port->iface];

		if (!sl_fwd_iface_jumbo(iface->mtu_now)) {
			iface->told_mtu = false;
			continue;
		}
		if (port->xsk.multi_buffer || iface->told_mtu)
			continue;
		iface->told_mtu = true;
		sl_fwd_say(
			"%s: MTU %u: the kernel may drop packets over %u bytes here "
			"(xdp.rx_dropped); %s",
			iface->name, iface->mtu_now, SL_FRAME_PACKET,
			sl_fwd_iface_jumbo(iface->mtu) ?
				"packets of several buffers need Linux 6.6; lower the MTU" :
				"it was lower at the start: restart the forwarder");
	}
}

static void link_say(struct sl_fwd_iface *iface)
{
	if (iface->gone) {
		sl_fwd_say(
			"%s: the interface is gone; its packets are dropped and counted "
			"until one of this name has a filter",
			iface->name);
		return;
	}
	if (iface->up == !iface->told_down)
		return;
	iface->told_down = !iface->up;
	sl_fwd_say("%s: link %s", iface->name,
		   iface->up ? "up" :
			       "down; packets for it are dropped and counted");
}

static void queues_say(struct sl_fwd_iface *iface)
{
	bool changed = iface->rx_queues_now != iface->rx_queues ||
		       iface->tx_queues_now != iface->tx_queues;

	if (changed && !iface->told_queues)
		sl_fwd_say(
			"%s: queues changed from %u RX, %u TX to %u RX, %u TX; opening the "
			"sockets anew",
			iface->name, iface->rx_queues, iface->tx_queues,
			iface->rx_queues_now, iface->tx_queues_now);
	iface->told_queues = changed;
}

void sl_fwd_watch_filter_say(const struct sl_fwd_iface *iface,
			     uint32_t program_id, int err)
{
	char operation[64];

	if (err == -ENOENT) {
		sl_fwd_say_of(
			iface->name,
			"find the filter: no XDP program is attached, so nothing is forwarded "
			"from here; attach one with 'sluice apply FILE'");
		return;
	}
	if (err == -ENOKEY) {
		sl_fwd_say_of(
			iface->name,
			"find the filter: XDP program %u has no map xsks_map; detach it, then "
			"'sluice apply FILE'",
			program_id);
		return;
	}
	if (err == -E2BIG) {
		sl_fwd_say_of(
			iface->name,
			"cover the RX queues: %u are in use, xsks_map of XDP program %u has "
			"fewer entries; lower them ('ethtool -L %s combined N')",
			iface->rx_queues, program_id, iface->name);
		return;
	}
	snprintf(operation, sizeof(operation),
		 "find the filter (XDP program %u)", program_id);
	sl_fwd_say_error(iface->name, operation, err,
			 err == -EPERM	? "start it with CAP_SYS_ADMIN" :
			 err == -EAGAIN ? "it is being replaced; try again" :
					  NULL);
}

/* The program on the interface is not the one we know: find its XSKMAP. */
static int filter_follow(struct sl_fwd *fwd, uint32_t i, uint32_t program_id)
{
	struct sl_fwd_iface *iface = &fwd->ifaces[i];
	struct sl_fwd_filter filter = { .map_fd = -1, .totals_fd = -1 };
	struct sl_fwd_tally_base before;
	int err = sl_fwd_privileges_raise(true);

	if (err)
		return err;
	err = sl_fwd_filter_open(iface->ifindex, &filter);
	/* One without names has no rule of a stage; the slots known stay. */
	if (!err)
		sl_fwd_rules_read(fwd, i, filter.program_id);
	if (!err)
		sl_fwd_rules_say_generation(iface->name, filter.program_id);
	sl_fwd_privileges_raise(false);
	if (err)
		return err;
	if (filter.map_id == iface->filter.map_id) {
		/* A reload: it hands the map, and our sockets in it, on. */
		iface->filter.program_id = program_id;
		iface->filter.direct = filter.direct;
		sl_fwd_filter_close(&filter);
		return 0;
	}
	/* Only then is it ours: what fails here is tried again at the next look. */
	sl_fwd_iface_tally(iface);
	before = iface->base;
	sl_fwd_iface_tally_from(iface, &filter);
	err = sl_fwd_watch_insert(fwd, i, &filter);
	if (err) {
		iface->base = before;
		sl_fwd_filter_close(&filter);
		return err;
	}
	sl_fwd_filter_close(&iface->filter);
	iface->filter = filter;
	sl_fwd_say(
		"%s: the filter was attached anew (program %u); sockets inserted",
		iface->name, filter.program_id);
	return 0;
}

static void filter_watch(struct sl_fwd *fwd, uint32_t i)
{
	struct sl_fwd_iface *iface = &fwd->ifaces[i];
	uint32_t program_id = 0;
	int err = sl_fwd_filter_program(iface->ifindex, &program_id);

	if (err || program_id == iface->filter.program_id) {
		iface->told_filter = iface->told_filter && err;
		return;
	}
	err = program_id ? filter_follow(fwd, i, program_id) : -ENOENT;
	/* In the middle of a reload: the next look will find the new one. */
	if (err == -EAGAIN)
		return;
	if (err && !iface->told_filter)
		sl_fwd_watch_filter_say(iface, program_id, err);
	iface->told_filter = err;
}

static void neighbours_watch(struct sl_fwd *fwd)
{
	int err = sl_fwd_privileges_raise(true);

	if (!err)
		err = sl_fwd_neighbours_refresh(fwd->used, fwd->plan.lanes);
	sl_fwd_privileges_raise(false);
	if (err && !fwd->told_neighbours)
		sl_fwd_say_error("neighbours", "refresh those in use", err,
				 err == -EPERM ? "start it with CAP_NET_ADMIN" :
						 NULL);
	fwd->told_neighbours = err;
}

/* Whether another one has the name of an interface that is gone, with a filter on it. */
static bool returned(const struct sl_fwd_iface *iface)
{
	struct sl_fwd_filter filter = { .map_fd = -1, .totals_fd = -1 };
	unsigned int ifindex = if_nametoindex(iface->name);
	int err;

	if (!ifindex || sl_fwd_privileges_raise(true))
		return false;
	err = sl_fwd_filter_open((int)ifindex, &filter);
	sl_fwd_privileges_raise(false);
	sl_fwd_filter_close(&filter);
	return !err;
}

/* An interface that is there with as many queues as the filter covers, if others than we have. */
static bool requeued(const struct sl_fwd_iface *iface)
{
	return (iface->rx_queues_now != iface->rx_queues ||
		iface->tx_queues_now != iface->tx_queues) &&
	       iface->filter.map_fd >= 0 && !iface->told_filter &&
	       iface->rx_queues_now <= iface->filter.map_entries;
}

bool sl_fwd_watch(struct sl_fwd *fwd, bool *reopen)
{
	uint32_t left = 0, lost = 0;

	*reopen = false;
	for (uint32_t i = 0; i < fwd->n_ifaces; i++) {
		struct sl_fwd_iface *iface = &fwd->ifaces[i];

		if (!iface->gone) {
			sl_fwd_iface_check(iface);
			link_say(iface);
		}
		if (iface->gone) {
			lost += !returned(iface);
			*reopen = true;
			continue;
		}
		left++;
		queues_say(iface);
		filter_watch(fwd, i);
		*reopen = *reopen || requeued(iface);
	}
	*reopen = *reopen && !lost;
	sl_fwd_watch_links(fwd);
	sl_fwd_watch_mtu(fwd);
	if (fwd->used)
		neighbours_watch(fwd);
	sl_fwd_mirrors_watch(fwd);
	return left || *reopen;
}
