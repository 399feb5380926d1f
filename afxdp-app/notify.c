// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "notify.h"

#include <inttypes.h>
#include <systemd/sd-daemon.h>

#include "agent.h"
#include "lib/clock.h"
#include "lib/config.h"
#include "lib/keyword.h"
#include "say.h"
#include "supervise.h"

void sl_notify_ready(const struct sl_agent *agent)
{
	const struct sl_fwd *fwd = &agent->fwd;
	uint32_t zerocopy = 0;

	for (uint32_t e = 0; e < fwd->plan.n_ends; e++)
		zerocopy += fwd->end_port[e]->xsk.zerocopy;
	sd_notifyf(0,
		   "READY=1\n"
		   "STATUS=Forwarding: interfaces %" PRIu32 ", queues %" PRIu32
		   " (zero-copy %" PRIu32 "), workers %" PRIu32 ", poll %s",
		   fwd->n_ifaces, fwd->plan.n_ends, zerocopy, fwd->n_workers,
		   sl_poll_words[fwd->config->poll]);
}

void sl_notify_reloading(void)
{
	/* The time is for Type=notify-reload, since systemd 253. */
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
		   sl_clock_ns() / 1000);
}

void sl_notify_stopping(void)
{
	sd_notify(0, "STOPPING=1\nSTATUS=Draining");
}

void sl_notify_watch(struct sl_agent *agent)
{
	uint64_t now_ns = sl_clock_ns(), limit_us;
	const struct sl_fwd *fwd = &agent->fwd;
	int stuck;

	if (sd_watchdog_enabled(0, &limit_us) <= 0 ||
	    now_ns - agent->watched_ns < limit_us * 1000 / 2)
		return;
	agent->watched_ns = now_ns;
	if (sl_supervise_stuck(agent, &stuck))
		return;
	if (stuck < 0)
		sd_notify(0, "WATCHDOG=1");
	else if ((uint32_t)stuck < fwd->n_workers)
		sl_fwd_say(
			"worker on CPU %d: it has not gone round for %" PRIu64
			" ms; a stage may hang; the service manager may end us for it",
			fwd->workers[stuck].cpu, limit_us / 2000);
}
