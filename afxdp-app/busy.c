// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "busy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "deferral.h"
#include "forwarder.h"
#include "lib/config.h"
#include "lib/doctor_nic.h"
#include "privileges.h"
#include "say.h"
#include "witness.h"

/*
 * Looks at a trial. One shows it if the worker was awake; one that slept is at most SLEEP_NS
 * (worker.c), as long as a look, late.
 */
#define LOOKS_MAX 3u
/* A worker that drives polls hundreds of times in a look, even in an emulator. */
#define POLLS_SEEN 16u
/*
 * The time of SO_BUSY_POLL bounds a blocking call; ours do not block, and any but 0 turns it on.
 * The budget is the packets that one poll brings: a burst.
 */
#define BUSY_POLL_US 20u
#define BUSY_POLL_BUDGET SL_BURST

static bool wanted(const struct sl_fwd *fwd)
{
	return fwd->config->poll != SL_POLL_SLEEP;
}

/* See busy.h: not known to be one is taken for two. */
static bool prefers(const struct sl_fwd_port *port)
{
	return !port->xsk.zerocopy ||
	       (port->napi.rx && port->napi.rx == port->napi.tx);
}

/* What the queues of each interface say of their NAPI; 0 where nothing is said. */
static void napis_read(struct sl_fwd *fwd, uint32_t iface)
{
	struct sl_nic nic = { .ifindex = fwd->ifaces[iface].ifindex };
	int err = sl_nic_read_netdev(&nic);
	bool told = !err && !nic.queues.err;

	for (uint32_t e = 0; e < fwd->plan.n_ends; e++) {
		struct sl_fwd_port *port = fwd->end_port[e];

		if (port->iface != iface)
			continue;
		/* A question that fails now and then takes nothing away. */
		if (!told && port->napi.told)
			continue;
		port->napi.told = told;
		port->napi.rx = port->napi.tx = 0;
		for (size_t i = 0; told && i < nic.queues.n; i++) {
			const struct sl_nic_queue *queue = &nic.queues.items[i];

			if (queue->id != port->queue)
				continue;
			if (queue->tx)
				port->napi.tx = queue->napi;
			else
				port->napi.rx = queue->napi;
		}
	}
	sl_nic_fini(&nic);
}

static int options_set(const struct sl_fwd *fwd, struct sl_fwd_port *port,
		       bool on)
{
	const struct sl_xsk_polling polling = {
		.prefer = on && prefers(port),
		.us = on ? BUSY_POLL_US : 0,
		.budget = !on			   ? 0 :
			  fwd->config->poll_budget ? fwd->config->poll_budget :
						     BUSY_POLL_BUDGET,
	};

	return sl_xsk_busy_poll(&port->xsk, &polling);
}

static void drive(struct sl_fwd_port *port, enum sl_busy state)
{
	port->busy = state;
	__atomic_store_n(&port->busy_poll,
			 state == SL_BUSY_TRIAL || state == SL_BUSY_SEEN,
			 __ATOMIC_RELAXED);
	__atomic_store_n(&port->busy_seen, state == SL_BUSY_SEEN,
			 __ATOMIC_RELAXED);
}

/* Rolls a port back; the reason of the first one stands for all. */
static void refuse(struct sl_fwd *fwd, struct sl_fwd_port *port,
		   const char *reason)
{
	char object[SL_FWD_END_NAME];

	options_set(fwd, port, false);
	drive(port, SL_BUSY_REFUSED);
	if (!fwd->busy.told_refused)
		sl_fwd_say("%s: busy polling not engaged: %s; %s",
			   sl_fwd_end_name(fwd, port, object), reason,
			   fwd->config->poll == SL_POLL_BUSY ?
				   "spinning on the rings" :
				   "sleeping between packets");
	fwd->busy.told_refused = true;
}

/* Whether the socket has a NAPI to drive, that of its queue; else it is refused. */
static bool napi_find(struct sl_fwd *fwd, struct sl_fwd_port *port)
{
	char reason[96];

	port->napi.id = sl_xsk_napi_id(&port->xsk);
	if (!port->napi.id) {
		refuse(fwd, port,
		       port->napi.told && !port->napi.rx ?
			       "no NAPI id: the driver names none for this queue" :
			       "no NAPI id before a packet has come");
		return false;
	}
	if (port->napi.rx && port->napi.rx != port->napi.id) {
		snprintf(reason, sizeof(reason),
			 "the socket has NAPI instance %u, its queue %u",
			 port->napi.id, port->napi.rx);
		refuse(fwd, port, reason);
		return false;
	}
	return true;
}

static void port_try(struct sl_fwd *fwd, struct sl_fwd_port *port)
{
	int err = options_set(fwd, port, true);

	port->napi.prefers = prefers(port);
	if (err) {
		refuse(fwd, port,
		       err == -EPERM ?
			       "not permitted; start it with CAP_NET_ADMIN" :
			       strerror(-err));
		return;
	}
	if (!napi_find(fwd, port))
		return;
	drive(port, SL_BUSY_TRIAL);
	fwd->busy.looks = 0;
}

/*
 * Whether it is time for a trial: there was none; or the queue's NAPI is another one than then, or
 * that of its transmission has become another one, or the same (the id of reception may stay over
 * `ethtool -L`: netif_napi_add_config()); or the socket had none, and has one now. Not while the
 * link is down, which takes the NAPI of some drivers away, nor while none is named.
 */
static bool port_due(const struct sl_fwd_port *port)
{
	if (!port->link || port->busy == SL_BUSY_TRIAL)
		return false;
	if (port->napi.rx && (port->napi.rx != port->napi.tried ||
			      (port->busy == SL_BUSY_SEEN &&
			       port->napi.prefers != prefers(port))))
		return true;
	return port->busy == SL_BUSY_OFF ||
	       (port->busy == SL_BUSY_REFUSED && !port->napi.id &&
		sl_xsk_napi_id(&port->xsk));
}

static void iface_try(struct sl_fwd *fwd, uint32_t iface)
{
	for (uint32_t e = 0; e < fwd->plan.n_ends; e++) {
		struct sl_fwd_port *port = fwd->end_port[e];

		if (port->iface != iface || !port_due(port))
			continue;
		if (port->busy == SL_BUSY_SEEN &&
		    sl_xsk_napi_id(&port->xsk) != port->napi.rx) {
			fwd->busy.left = true;
			continue;
		}
		port->napi.tried = port->napi.rx;
		port_try(fwd, port);
	}
}

bool sl_fwd_busy_tried(const struct sl_fwd *fwd)
{
	return fwd->busy.witness;
}

void sl_fwd_busy_close(struct sl_fwd *fwd)
{
	sl_witness_close(fwd->busy.witness);
	fwd->busy.witness = NULL;
}

/* A witness for the ports that are in a trial. Without one nothing could be claimed. */
static void trials_begin(struct sl_fwd *fwd, pid_t plane)
{
	char reason[96];
	bool any = false;
	int err;

	for (uint32_t e = 0; e < fwd->plan.n_ends; e++)
		any = any || fwd->end_port[e]->busy == SL_BUSY_TRIAL;
	if (!any || fwd->busy.witness)
		return;
	fwd->busy.looks = 0;
	err = sl_witness_open(plane, &fwd->busy.witness);
	if (!err)
		return;
	snprintf(reason, sizeof(reason),
		 "it cannot be observed (BPF on trace points: %s)",
		 strerror(-err));
	for (uint32_t e = 0; e < fwd->plan.n_ends; e++)
		if (fwd->end_port[e]->busy == SL_BUSY_TRIAL)
			refuse(fwd, fwd->end_port[e], reason);
}

static void admit(struct sl_fwd *fwd, struct sl_fwd_port *port, uint64_t polls)
{
	char object[SL_FWD_END_NAME];

	drive(port, SL_BUSY_SEEN);
	sl_fwd_say(
		"%s: busy polling: %llu polls of NAPI instance %u by the worker seen%s",
		sl_fwd_end_name(fwd, port, object), (unsigned long long)polls,
		port->napi.id,
		prefers(port) ?
			"" :
			"; not preferred over interrupts, as transmission "
			"has another NAPI");
}

void sl_fwd_busy_look(struct sl_fwd *fwd)
{
	bool last = ++fwd->busy.looks >= LOOKS_MAX, open = false;
	char reason[96];

	/* Closed since this look was due. */
	if (!fwd->busy.witness)
		return;
	for (uint32_t e = 0; e < fwd->plan.n_ends; e++) {
		struct sl_fwd_port *port = fwd->end_port[e];
		uint64_t polls;

		if (port->busy != SL_BUSY_TRIAL)
			continue;
		polls = sl_witness_polls(fwd->busy.witness, port->napi.id);
		if (polls >= POLLS_SEEN) {
			admit(fwd, port, polls);
		} else if (last) {
			snprintf(
				reason, sizeof(reason),
				"%llu polls of NAPI instance %u by the worker in %u ms",
				(unsigned long long)polls, port->napi.id,
				LOOKS_MAX * SL_FWD_BUSY_LOOK_MS);
			refuse(fwd, port, reason);
		} else {
			open = true;
		}
	}
	if (!open)
		sl_fwd_busy_close(fwd);
}

static void options_clear(struct sl_fwd *fwd)
{
	for (uint32_t e = 0; e < fwd->plan.n_ends; e++)
		/* Fails where there are none to clear: no CONFIG_NET_RX_BUSY_POLL. */
		options_set(fwd, fwd->end_port[e], false);
}

void sl_fwd_busy_start(struct sl_fwd *fwd, pid_t plane)
{
	sl_fwd_privileges_raise(true);
	if (!wanted(fwd))
		options_clear(fwd);
	sl_fwd_busy_watch(fwd, plane);
}

void sl_fwd_busy_watch(struct sl_fwd *fwd, pid_t plane)
{
	sl_fwd_privileges_raise(true);
	for (uint32_t i = 0; wanted(fwd) && i < fwd->n_ifaces; i++)
		if (!fwd->ifaces[i].gone)
			napis_read(fwd, i);
	for (uint32_t i = 0; wanted(fwd) && i < fwd->n_ifaces; i++)
		if (!fwd->ifaces[i].gone)
			iface_try(fwd, i);
	trials_begin(fwd, plane);
	/* Last: it depends on who runs NAPI. */
	sl_fwd_deferral_hold(fwd);
	sl_fwd_privileges_raise(false);
}

void sl_fwd_busy_stop(struct sl_fwd *fwd)
{
	sl_fwd_busy_close(fwd);
	if (!fwd->busy.held)
		return;
	/* To stay so: what follows is the end, or opens the next ones, which needs them. */
	sl_fwd_privileges_raise(true);
	sl_fwd_deferral_release(fwd);
}
