// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Order of the start, and why:
 *
 *   1. interfaces, filters and queue counts: nothing is held yet when these are wrong
 *   2. UMEM and sockets of each worker, fill rings filled
 *   3. sockets into the XSKMAPs: only now packets arrive, and there is room for them
 *   4. privileges reduced, then the workers started, so that they inherit the reduced set
 *
 * The end is the same backwards: the XSKMAPs forget the sockets (the rules' fallback takes
 * over), NAPI polls that still saw them end, what is on the rings is forwarded, the frames are
 * counted, the sockets closed.
 */
#include "forwarder.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "lib/config.h"
#include "say.h"
#include "privileges.h"
#include "sockets.h"
#include "watch.h"

/*
 * The values of Documentation/networking/af_xdp.rst and its xdpsock sample; not tuned here. The
 * time bounds one busy poll that finds nothing, the budget the packets that one brings.
 */
#define BUSY_POLL_US 20
#define BUSY_POLL_BUDGET 64

static int memory_say(const char *of)
{
	sl_fwd_say_error(of, "reserve memory", -ENOMEM, NULL);
	return -ENOMEM;
}

const char *sl_fwd_end_name(const struct sl_fwd *fwd,
			    const struct sl_fwd_port *port, char *text)
{
	snprintf(text, SL_FWD_END_NAME, "%s queue %u",
		 fwd->ifaces[port->iface].name, port->queue);
	return text;
}

static int filter_open(struct sl_fwd_iface *iface)
{
	struct sl_fwd_filter filter = { .map_fd = -1 };
	int err = sl_fwd_filter_open(iface->ifindex, &filter);

	if (err)
		sl_fwd_watch_filter_say(iface, filter.program_id, err);
	else
		iface->filter = filter;
	return err;
}

static int iface_open(struct sl_fwd *fwd, const char *name)
{
	struct sl_fwd_iface *iface = &fwd->ifaces[fwd->n_ifaces];
	int err;

	for (uint32_t i = 0; i < fwd->n_ifaces; i++) {
		if (strcmp(fwd->ifaces[i].name, name))
			continue;
		sl_fwd_say_of(
			name,
			"wire: it is an end of more than one wire, or of both sides; "
			"name each interface once");
		return -EDOM;
	}
	err = sl_fwd_iface_init(iface, name);
	if (err) {
		sl_fwd_say_error(
			name, "find the interface", err,
			"'ip link' lists those of this network namespace");
		return err;
	}
	fwd->n_ifaces++;
	err = filter_open(iface);
	if (err)
		return err;
	if (iface->rx_queues > iface->filter.map_entries) {
		sl_fwd_watch_filter_say(iface, iface->filter.program_id,
					-E2BIG);
		return -E2BIG;
	}
	err = sl_fwd_iface_promiscuous(iface);
	if (err)
		sl_fwd_say_error(name, "receive what is for other MACs", err,
				 err == -EPERM ? "start it with CAP_NET_RAW" :
						 NULL);
	return err;
}

static int ifaces_open(struct sl_fwd *fwd)
{
	int err = 0;

	fwd->ifaces = calloc(2 * fwd->config->n_wires, sizeof(*fwd->ifaces));
	if (!fwd->ifaces)
		return memory_say("interfaces");
	for (size_t w = 0; w < fwd->config->n_wires && !err; w++) {
		err = iface_open(fwd, fwd->config->wires[w].a);
		if (!err)
			err = iface_open(fwd, fwd->config->wires[w].b);
	}
	return err;
}

/* The CPUs to use, in order: those configured, else those we may run on. */
static int cpus_list(const struct sl_forwarder *config, int *list, int max)
{
	cpu_set_t allowed;
	int n = 0;

	if (sched_getaffinity(0, sizeof(allowed), &allowed)) {
		int err = -errno;

		sl_fwd_say_error("workers", "read the CPUs allowed", err, NULL);
		return err;
	}
	for (size_t i = 0; i < config->n_cpus && n < max; i++) {
		char object[32];

		list[n++] = (int)config->cpus[i];
		if (config->cpus[i] < CPU_SETSIZE &&
		    CPU_ISSET(config->cpus[i], &allowed))
			continue;
		snprintf(object, sizeof(object), "CPU %u", config->cpus[i]);
		sl_fwd_say_error(
			object, "pin a worker", -EINVAL,
			"it is offline or not allowed here; see 'taskset -cp $$'");
		return -EDOM;
	}
	for (int cpu = 0; !config->n_cpus && cpu < CPU_SETSIZE && n < max;
	     cpu++)
		if (CPU_ISSET(cpu, &allowed))
			list[n++] = cpu;
	return n;
}

static int plan_make(struct sl_fwd *fwd, uint32_t cpus)
{
	uint32_t n = fwd->n_ifaces / 2;
	struct sl_fwd_plan_wire *wires = calloc(n, sizeof(*wires));
	int err;

	if (!wires)
		return memory_say("plan");
	for (uint32_t i = 0; i < fwd->n_ifaces; i++) {
		wires[i / 2].rx[i % 2] = fwd->ifaces[i].rx_queues;
		wires[i / 2].tx[i % 2] = fwd->ifaces[i].tx_queues;
	}
	err = sl_fwd_plan_init(&fwd->plan, wires, n, fwd->config->workers,
			       cpus);
	free(wires);
	if (err)
		return memory_say("plan");
	if (fwd->config->workers > fwd->plan.workers)
		sl_fwd_say(
			"workers: %u asked for, %u used; there are no more queues to share out",
			fwd->config->workers, fwd->plan.workers);
	return 0;
}

static int worker_alloc(struct sl_fwd *fwd, uint32_t w)
{
	struct sl_fwd_worker *worker = &fwd->workers[w];
	uint32_t n = 0;
	int err;

	for (uint32_t e = 0; e < fwd->plan.n_ends; e++)
		n += fwd->plan.ends[e].worker == w;
	err = sl_fwd_worker_init(worker, n);
	if (err) {
		sl_fwd_say_error("UMEM", "reserve memory", err,
				 "fewer workers or queues");
		return err;
	}
	n = 0;
	for (uint32_t e = 0; e < fwd->plan.n_ends; e++) {
		const struct sl_fwd_plan_end *end = &fwd->plan.ends[e];
		struct sl_fwd_port *port;

		if (end->worker != w)
			continue;
		port = &worker->ports[n++];
		port->umem = &worker->umem;
		port->iface = 2 * end->wire + end->side;
		port->queue = end->queue;
		fwd->end_port[e] = port;
	}
	for (uint32_t e = 0; e < fwd->plan.n_ends; e++)
		if (fwd->plan.ends[e].worker == w)
			fwd->end_port[e]->peer =
				fwd->end_port[fwd->plan.ends[e].peer];
	return 0;
}

/* Two that never sleep take turns of milliseconds, in which the other's rings overflow. */
static void cpus_shared_say(const struct sl_fwd *fwd)
{
	for (uint32_t w = 1; w < fwd->n_workers; w++)
		for (uint32_t v = 0; v < w; v++)
			if (fwd->workers[v].cpu == fwd->workers[w].cpu) {
				sl_fwd_say(
					"poll busy: workers %u and %u spin on the same CPU %d and "
					"hold each other up; use fewer workers or more CPUs",
					v, w, fwd->workers[w].cpu);
				return;
			}
}

static int workers_alloc(struct sl_fwd *fwd)
{
	int cpus[CPU_SETSIZE] = { 0 };
	int n = cpus_list(fwd->config, cpus, CPU_SETSIZE);
	int err;

	if (n < 0)
		return n;
	err = plan_make(fwd, (uint32_t)n);
	if (err)
		return err;
	fwd->workers = calloc(fwd->plan.workers, sizeof(*fwd->workers));
	fwd->end_port = calloc(fwd->plan.n_ends, sizeof(struct sl_fwd_port *));
	if (!fwd->workers || !fwd->end_port)
		return memory_say("workers");
	fwd->n_workers = fwd->plan.workers;
	for (uint32_t w = 0; w < fwd->n_workers && !err; w++) {
		err = worker_alloc(fwd, w);
		fwd->workers[w].cpu = cpus[w % (uint32_t)n];
		fwd->workers[w].busy = fwd->config->poll == SL_POLL_BUSY;
	}
	if (!err && fwd->config->poll == SL_POLL_BUSY)
		cpus_shared_say(fwd);
	return err;
}

static void port_prepare(struct sl_fwd *fwd, struct sl_fwd_port *port)
{
	char object[SL_FWD_END_NAME];
	int err;

	port->ops->refill(port);
	if (fwd->config->poll != SL_POLL_BUSY)
		return;
	err = sl_xsk_busy_poll(&port->xsk, BUSY_POLL_US, BUSY_POLL_BUDGET);
	port->busy_asked = !err;
	if (err)
		sl_fwd_say_error(
			sl_fwd_end_name(fwd, port, object),
			"prefer busy polling", err,
			"start it with CAP_NET_ADMIN; spinning without it");
}

static void start_say(const struct sl_fwd *fwd)
{
	for (uint32_t e = 0; e < fwd->plan.n_ends; e++) {
		const struct sl_fwd_port *port = fwd->end_port[e];

		sl_fwd_say(
			"%s queue %u -> %s queue %u: %s%s, worker %u on CPU %d",
			fwd->ifaces[port->iface].name, port->queue,
			fwd->ifaces[port->peer->iface].name, port->peer->queue,
			port->xsk.zerocopy ? "zero-copy" : "copy mode",
			port->xsk.multi_buffer ? ", multi-buffer" : "",
			fwd->plan.ends[e].worker,
			fwd->workers[fwd->plan.ends[e].worker].cpu);
	}
}

static int workers_start(struct sl_fwd *fwd)
{
	int err = sl_fwd_privileges_reduce();

	if (err) {
		sl_fwd_say_error("privileges", "give up capabilities", err,
				 NULL);
		return err;
	}
	err = sl_fwd_stages_start(&fwd->stages);
	if (err)
		return err;
	for (uint32_t w = 0; w < fwd->n_workers; w++) {
		err = sl_fwd_worker_start(&fwd->workers[w]);
		if (err) {
			sl_fwd_say_error("worker", "start the thread", err,
					 NULL);
			return err;
		}
	}
	return 0;
}

int sl_fwd_open(struct sl_fwd *fwd, const struct sl_forwarder *config)
{
	/* Advisory: CAP_IPC_LOCK makes it needless, and without privilege it fails. */
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	int err;

	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	fwd->config = config;
	err = ifaces_open(fwd);
	if (!err)
		err = workers_alloc(fwd);
	if (!err)
		err = sl_fwd_stages_open(fwd);
	for (uint32_t w = 0; w < fwd->n_workers && !err; w++)
		err = sl_fwd_sockets_open(fwd, &fwd->workers[w]);
	if (err)
		return err;
	for (uint32_t e = 0; e < fwd->plan.n_ends; e++)
		port_prepare(fwd, fwd->end_port[e]);
	sl_fwd_watch_links(fwd);
	for (uint32_t i = 0; i < fwd->n_ifaces && !err; i++) {
		err = sl_fwd_watch_insert(fwd, i, &fwd->ifaces[i].filter);
		if (err)
			sl_fwd_say_error(fwd->ifaces[i].name,
					 "put the sockets into xsks_map", err,
					 NULL);
	}
	if (err)
		return err;
	start_say(fwd);
	sl_fwd_watch_mtu(fwd);
	if (config->poll == SL_POLL_BUSY)
		sl_fwd_watch_napi(fwd);
	return workers_start(fwd);
}

void sl_fwd_refresh(struct sl_fwd *fwd)
{
	if (!fwd->end_port)
		return; /* the start failed before there was any */
	for (uint32_t e = 0; e < fwd->plan.n_ends; e++) {
		struct sl_fwd_port *port = fwd->end_port[e];

		if (port)
			port->ops->stats(port);
	}
}

/*
 * What a zero-copy driver has taken, for reception or to send, comes back with the end of the
 * socket. So does a frame to send on a port without a link. In copy mode nothing holds a
 * frame for reception outside the rings, and one to send is back once the device has sent it:
 * what is missing there after the drain is not accounted for.
 */
static bool worker_account(const struct sl_fwd *fwd,
			   struct sl_fwd_worker *worker)
{
	char object[SL_FWD_END_NAME];
	bool whole = sl_umem_audit(&worker->umem);

	if (!whole)
		sl_fwd_say(
			"worker on CPU %d: ledger: %llu frames came back that were not out",
			worker->cpu,
			(unsigned long long)worker->umem.violations);
	for (uint32_t i = 0; i < worker->n_ports; i++) {
		struct sl_fwd_port *port = &worker->ports[i];

		port->unsent = port->tx_out;
		if (port->tx_out) {
			sl_fwd_say(
				"%s: %u frames were not sent within a second; is the other end "
				"receiving?",
				sl_fwd_end_name(fwd, port, object),
				port->tx_out);
			whole = whole && (port->xsk.zerocopy || port->down ||
					  !port->link);
		}
		if (!port->fill_out || port->xsk.zerocopy)
			continue;
		sl_fwd_say("%s: %u frames of the fill ring are missing",
			   sl_fwd_end_name(fwd, port, object), port->fill_out);
		whole = false;
	}
	if (worker->umem.count[SL_FRAME_RX] ||
	    worker->umem.count[SL_FRAME_STAGE])
		whole = false;
	return whole;
}

bool sl_fwd_stop(struct sl_fwd *fwd)
{
	bool whole = true;

	for (uint32_t e = 0; fwd->end_port && e < fwd->plan.n_ends; e++)
		if (fwd->end_port[e] && fwd->plan.ends[e].receives)
			sl_fwd_filter_remove(
				&fwd->ifaces[fwd->end_port[e]->iface].filter,
				fwd->end_port[e]->queue);
	sl_fwd_filter_settle();
	for (uint32_t w = 0; w < fwd->n_workers; w++)
		sl_fwd_worker_stop(&fwd->workers[w]);
	/* Which links are there decides what is waited for, and what is judged. */
	for (uint32_t i = 0; i < fwd->n_ifaces; i++)
		sl_fwd_iface_check(&fwd->ifaces[i]);
	sl_fwd_watch_links(fwd);
	sl_fwd_workers_drain(fwd->workers, fwd->n_workers);
	sl_fwd_stages_stop(&fwd->stages);
	sl_fwd_refresh(fwd);
	for (uint32_t w = 0; w < fwd->n_workers; w++) {
		sl_fwd_worker_reclaim(&fwd->workers[w]);
		whole = worker_account(fwd, &fwd->workers[w]) && whole;
	}
	return whole;
}

void sl_fwd_close(struct sl_fwd *fwd)
{
	for (uint32_t w = 0; w < fwd->n_workers; w++) {
		sl_fwd_worker_stop(&fwd->workers[w]);
		sl_fwd_worker_fini(&fwd->workers[w]);
	}
	sl_fwd_stages_close(&fwd->stages);
	for (uint32_t i = 0; i < fwd->n_ifaces; i++)
		sl_fwd_iface_close(&fwd->ifaces[i]);
	sl_fwd_plan_fini(&fwd->plan);
	free(fwd->end_port);
	free(fwd->workers);
	free(fwd->ifaces);
	memset(fwd, 0, sizeof(*fwd));
}
