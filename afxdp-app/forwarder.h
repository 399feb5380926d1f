/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The forwarder whole: interfaces, plan, workers. All of this is the main thread's, and all
 * that needs a privilege is called from here: this is what the agent takes over when agent
 * and data plane become two processes. Failures are said (say.h) where they happen.
 */
#ifndef SLUICE_FWD_FORWARDER_H
#define SLUICE_FWD_FORWARDER_H

#include <stdbool.h>
#include <stdint.h>

#include "iface.h"
#include "plan.h"
#include "stage.h"
#include "worker.h"

struct sl_forwarder;

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
	struct sl_fwd_stages stages;
	const char *config_path; /* the caller's; files are beside it */
	bool told_napi;
};

/*
 * Interfaces, filters, UMEMs, sockets; then the sockets go into the XSKMAPs, privileges are
 * reduced and the workers start. 0, -EDOM (the configuration is wrong: a message names what)
 * or another -errno (the system refused).
 * Close with sl_fwd_close() in either case; before the first call *fwd is zeroed but for
 * config_path.
 */
int sl_fwd_open(struct sl_fwd *fwd, const struct sl_forwarder *config);

/* "eth1 queue 0", written to `text` of SL_FWD_END_NAME bytes; returns it. */
const char *sl_fwd_end_name(const struct sl_fwd *fwd,
			    const struct sl_fwd_port *port, char *text);

/* Reads the kernel's counters into the ports. */
void sl_fwd_refresh(struct sl_fwd *fwd);

/*
 * Stops the workers and takes every frame back; the statistics can still be printed. True
 * if all frames are accounted for.
 */
bool sl_fwd_stop(struct sl_fwd *fwd);

void sl_fwd_close(struct sl_fwd *fwd);

#endif /* SLUICE_FWD_FORWARDER_H */
