/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the service manager is told, by sd_notify(3): that packets are forwarded, with a line of
 * what by, for `systemctl status`; that a reload or the end has begun; and, where it watches
 * (WatchdogSec=), that the workers go round. Does nothing where none has started us. Agent only.
 */
#ifndef SLUICE_FWD_NOTIFY_H
#define SLUICE_FWD_NOTIFY_H

struct sl_agent;

/* All runs, also after a reload, or what ran before one that failed goes on. */
void sl_notify_ready(const struct sl_agent *agent);

void sl_notify_reloading(void);

void sl_notify_stopping(void);

/*
 * To be called about once a second: when half of WatchdogSec has gone by, asks the data plane
 * and tells the manager, unless a worker has not gone round since, which is said.
 */
void sl_notify_watch(struct sl_agent *agent);

#endif /* SLUICE_FWD_NOTIFY_H */
