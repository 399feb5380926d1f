// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "forwarder.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "lib/config.h"
#include "lib/journal.h"
#include "mirror.h"
#include "say.h"
#include "rules.h"
#include "sockets.h"
#include "watch.h"

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
	struct sl_fwd_filter filter = { .map_fd = -1, .totals_fd = -1 };
	int err = sl_fwd_filter_open(iface->ifindex, &filter);

	if (err)
		sl_fwd_watch_filter_say(iface, filter.program_id, err);
	else
		iface->filter = filter;
	if (!err)
		sl_fwd_rules_say_generation(iface->name, filter.program_id);
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
	sl_fwd_say_about(name, &(struct sl_journal_about){ .interface = name });
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
	err = sl_fwd_iface_cover(iface);
	if (err && err != -ERANGE)
		sl_fwd_say_error(name, "ask which RX queues get packets", err,
				 NULL);
	if (err)
		return err;
	if (fwd->config->route)
		return 0; /* packets that it routes are addressed to it */
	err = sl_fwd_iface_promiscuous(iface);
	if (err)
		sl_fwd_say_error(name, "receive what is for other MACs", err,
				 err == -EPERM ? "start it with CAP_NET_RAW" :
						 NULL);
	return err;
}

static int ifaces_open(struct sl_fwd *fwd)
{
	size_t routed = fwd->config->route ? fwd->n_interfaces : 0;
	int err = 0;

	fwd->ifaces =
		calloc(2 * fwd->config->n_wires + routed, sizeof(*fwd->ifaces));
	if (!fwd->ifaces)
		return memory_say("interfaces");
	for (size_t i = 0; i < routed && !err; i++)
		err = iface_open(fwd, fwd->interfaces[i].name);
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

static int plan_wires(struct sl_fwd *fwd, uint32_t cpus)
{
	uint32_t n = fwd->n_ifaces / 2;
	struct sl_fwd_plan_wire *wires = calloc(n, sizeof(*wires));
	int err;

	if (!wires)
		return -ENOMEM;
	for (uint32_t i = 0; i < fwd->n_ifaces; i++) {
		wires[i / 2].rx[i % 2] = fwd->ifaces[i].rx_queues;
		wires[i / 2].tx[i % 2] = fwd->ifaces[i].tx_queues;
	}
	err = sl_fwd_plan_init(&fwd->plan, wires, n, fwd->config->workers,
			       cpus);
	free(wires);
	return err;
}

static int plan_mesh(struct sl_fwd *fwd, uint32_t cpus)
{
	struct sl_fwd_plan_iface *ifaces =
		calloc(fwd->n_ifaces, sizeof(*ifaces));
	int err;

	if (!ifaces)
		return -ENOMEM;
	for (uint32_t i = 0; i < fwd->n_ifaces; i++) {
		ifaces[i].rx = fwd->ifaces[i].rx_queues;
		ifaces[i].tx = fwd->ifaces[i].tx_queues;
	}
	err = sl_fwd_plan_mesh(&fwd->plan, ifaces, fwd->n_ifaces,
			       fwd->config->workers, cpus);
	free(ifaces);
	return err;
}

static int plan_make(struct sl_fwd *fwd, uint32_t cpus)
{
	int err = fwd->config->route ? plan_mesh(fwd, cpus) :
				       plan_wires(fwd, cpus);

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
	err = sl_fwd_worker_alloc(worker, n);
	if (err)
		return memory_say("worker");
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
		fwd->workers[w].adaptive = fwd->config->poll ==
					   SL_POLL_ADAPTIVE;
		fwd->workers[w].learns = sl_forwarder_asks(fwd->config);
	}
	if (!err && fwd->config->poll == SL_POLL_BUSY)
		cpus_shared_say(fwd);
	return err;
}

/* Of a device with one queue there is nothing to tell. */
static void coverage_say(const struct sl_fwd_iface *iface)
{
	if (iface->rx_queues < 2)
		return;
	sl_fwd_say(
		"%s: sockets on RX queues 0 to %u; %s, and %u flow rules lead to no other",
		iface->name, iface->rx_queues - 1,
		iface->coverage.table ?
			"the RSS indirection table" :
			"the device shows no RSS indirection table",
		iface->coverage.rules);
}

void sl_fwd_start_say(const struct sl_fwd *fwd)
{
	for (uint32_t i = 0; i < fwd->n_ifaces; i++)
		coverage_say(&fwd->ifaces[i]);
	for (uint32_t e = 0; e < fwd->plan.n_ends; e++) {
		const struct sl_fwd_port *port = fwd->end_port[e];
		char from[SL_FWD_END_NAME], to[SL_FWD_END_NAME];

		sl_fwd_say("%s -> %s: %s%s, worker %u on CPU %d",
			   sl_fwd_end_name(fwd, port, from),
			   port->route ? "route" :
					 sl_fwd_end_name(fwd, port->peer, to),
			   port->xsk.zerocopy ? "zero-copy" : "copy mode",
			   port->xsk.multi_buffer ? ", multi-buffer" : "",
			   fwd->plan.ends[e].worker,
			   fwd->workers[fwd->plan.ends[e].worker].cpu);
	}
}

int sl_fwd_prepare(struct sl_fwd *fwd, const struct sl_forwarder *config)
{
	int err;

	fwd->config = config;
	sl_fwd_rules_say_about(fwd);
	err = ifaces_open(fwd);
	if (!err)
		err = workers_alloc(fwd);
	if (!err && sl_fwd_routes_open(fwd))
		err = memory_say("routes");
	if (!err && sl_fwd_rules_open(fwd))
		err = memory_say("rules");
	if (!err && sl_fwd_mirrors_open(fwd))
		err = memory_say("mirrors");
	if (!err)
		sl_fwd_watch_links(fwd);
	return err;
}

static int worker_open(struct sl_fwd *fwd, struct sl_fwd_worker *worker)
{
	int err = sl_fwd_worker_frames(worker);

	if (err) {
		sl_fwd_say_error("UMEM", "reserve memory", err,
				 "fewer workers or queues");
		return err;
	}
	return sl_fwd_sockets_open(fwd, worker);
}

int sl_fwd_open(struct sl_fwd *fwd)
{
	/* Advisory: CAP_IPC_LOCK makes it needless, and without privilege it fails. */
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	int err = 0;

	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	for (uint32_t w = 0; w < fwd->n_workers && !err; w++)
		err = worker_open(fwd, &fwd->workers[w]);
	for (uint32_t e = 0; e < fwd->plan.n_ends && !err; e++)
		fwd->end_port[e]->ops->refill(fwd->end_port[e]);
	return err;
}

bool sl_fwd_alike(const struct sl_fwd *a, const struct sl_fwd *b)
{
	if (a->config->route != b->config->route ||
	    a->config->zerocopy != b->config->zerocopy ||
	    a->n_ifaces != b->n_ifaces || a->plan.n_ends != b->plan.n_ends ||
	    a->n_workers != b->n_workers)
		return false;
	for (uint32_t i = 0; i < a->n_ifaces; i++)
		if (a->ifaces[i].ifindex != b->ifaces[i].ifindex)
			return false;
	for (uint32_t e = 0; e < a->plan.n_ends; e++) {
		const struct sl_fwd_plan_end *x = &a->plan.ends[e];
		const struct sl_fwd_plan_end *y = &b->plan.ends[e];

		if (x->wire != y->wire || x->side != y->side ||
		    x->queue != y->queue || x->worker != y->worker ||
		    x->receives != y->receives)
			return false;
	}
	return true;
}

void sl_fwd_forget(struct sl_fwd *fwd)
{
	for (uint32_t e = 0; e < fwd->plan.n_ends; e++)
		sl_xsk_forget(&fwd->end_port[e]->xsk);
	for (uint32_t w = 0; w < fwd->n_workers; w++)
		sl_umem_forget(&fwd->workers[w].umem);
}

int sl_fwd_insert(const struct sl_fwd *fwd)
{
	for (uint32_t i = 0; i < fwd->n_ifaces; i++) {
		int err = sl_fwd_watch_insert(fwd, i, &fwd->ifaces[i].filter);

		if (err) {
			sl_fwd_say_error(fwd->ifaces[i].name,
					 "put the sockets into xsks_map", err,
					 NULL);
			return err;
		}
	}
	return 0;
}

void sl_fwd_remove(const struct sl_fwd *fwd)
{
	for (uint32_t e = 0; e < fwd->plan.n_ends; e++)
		if (fwd->plan.ends[e].receives)
			sl_fwd_filter_remove(
				&fwd->ifaces[fwd->end_port[e]->iface].filter,
				fwd->end_port[e]->queue);
	sl_fwd_filter_settle();
}

void sl_fwd_close(struct sl_fwd *fwd)
{
	sl_fwd_busy_close(fwd);
	for (uint32_t w = 0; w < fwd->n_workers; w++)
		sl_fwd_worker_fini(&fwd->workers[w]);
	sl_fwd_mirrors_close(fwd);
	sl_fwd_rules_close(fwd);
	sl_fwd_routes_close(fwd);
	for (uint32_t i = 0; i < fwd->n_ifaces; i++)
		sl_fwd_iface_close(&fwd->ifaces[i]);
	sl_fwd_plan_fini(&fwd->plan);
	free(fwd->end_port);
	free(fwd->workers);
	free(fwd->ifaces);
	memset(fwd, 0, sizeof(*fwd));
}
