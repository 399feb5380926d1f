/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a forwarder consists of: interfaces, plan, workers with their ports and frames, stages.
 * The agent opens it; agent and data plane then have a copy each, of which each uses its
 * part (agent.h). Functions here are the agent's unless they say otherwise, and all are for
 * the main thread. Failures are said (say.h) where they happen.
 */
#ifndef SLUICE_FWD_FORWARDER_H
#define SLUICE_FWD_FORWARDER_H

#include <stdbool.h>
#include <stdint.h>

#include "busy.h"
#include "iface.h"
#include "plan.h"
#include "route.h"
#include "stage.h"
#include "worker.h"

struct sl_forwarder;
struct sl_fwd_mirror;
struct sl_fwd_rule_names;
struct sl_interface;

/* Bytes that the name of a (interface, queue) takes. */
#define SL_FWD_END_NAME (IF_NAMESIZE + 32)

struct sl_fwd {
	const struct sl_forwarder *config; /* the caller's, and outlives this */
	struct sl_fwd_iface *ifaces;	   /* wire w is 2w and 2w + 1 */
	uint32_t n_ifaces;
	struct sl_fwd_plan plan;
	struct sl_fwd_port **end_port; /* the port of each of the plan's ends */
	struct sl_fwd_worker *workers;
	uint32_t n_workers;
	struct sl_fwd_stages stages; /* the data plane's */
	struct sl_fwd_route *routes; /* with `route`, of each lane */
	struct sl_fwd_port **outs;   /* the same: [lanes][n_ifaces] */
	struct sl_fwd_used *
		used; /* the same; shared: the data plane notes, the agent reads */
	uint32_t *slots; /* [stages][n_ifaces], see rules.h; shared the other way */
	/* [n_ifaces], the same, for captures; NULL: there is none */
	struct sl_fwd_rule_names *names;
	struct sl_fwd_mirror *mirrors; /* [stages]; the agent's */
	const char *config_path;       /* the caller's; files are beside it */
	const struct sl_interface *interfaces; /* the caller's: all that route */
	size_t n_interfaces;
	struct sl_fwd_busy busy;
	bool told_neighbours;
	bool restarted; /* goes on from another: what was said is not said again */
};

/*
 * Interfaces, filters, plan, and workers without frames or sockets: what can be told to be wrong
 * while nothing is held or changed but promiscuous mode. 0, -EDOM (the configuration is wrong: a
 * message names what) or another -errno (the system refused). Close with sl_fwd_close() in
 * either case; before the call *fwd is zeroed but for config_path, interfaces and restarted.
 */
int sl_fwd_prepare(struct sl_fwd *fwd, const struct sl_forwarder *config);

/* After that: frames and sockets, their fill rings filled. The same. */
int sl_fwd_open(struct sl_fwd *fwd);

/* Whether the sockets of one can go on as those of the other. */
bool sl_fwd_alike(const struct sl_fwd *a, const struct sl_fwd *b);

/*
 * Unmaps frames and rings, once the data plane has its own mapping: the agent keeps descriptors,
 * and sees no packet.
 */
void sl_fwd_forget(struct sl_fwd *fwd);

/* Puts the sockets into the XSKMAPs: from here on packets come. 0 or -errno, said. */
int sl_fwd_insert(const struct sl_fwd *fwd);

/* Takes them out, and waits for the NAPI polls that still saw them. */
void sl_fwd_remove(const struct sl_fwd *fwd);

/* Tells the operator what goes where. */
void sl_fwd_start_say(const struct sl_fwd *fwd);

/* "eth1 queue 0", written to `text` of SL_FWD_END_NAME bytes; returns it. Either process. */
const char *sl_fwd_end_name(const struct sl_fwd *fwd,
			    const struct sl_fwd_port *port, char *text);

void sl_fwd_close(struct sl_fwd *fwd);

#endif /* SLUICE_FWD_FORWARDER_H */
