/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * How hard packets press on each CPU: one figure from 0 to 1 for the time between
 * two readings, as PSI gives a share of time.
 *
 *   deferred  = (ksoftirqd ran + ksoftirqd waited for the CPU) / time
 *   exhausted = squeezed rounds / max(rounds, time / netdev_budget_usecs)
 *   pressure  = max(deferred, exhausted), each no more than 1
 *
 * A round is one run of the NET_RX softirq (/proc/softirqs). It is squeezed when it
 * ended by its budget of packets or time with packets left (time_squeeze, the third
 * column of /proc/net/softnet_stat; net/core/dev.c, net_rx_action()). A CPU that does
 * nothing but squeezed rounds makes time / netdev_budget_usecs of them or more, so
 * one squeezed round on an idle CPU is not taken for a full one.
 *
 * ksoftirqd takes over when softirqs come again and again: while it has work, that
 * work waits for the scheduler (/proc/PID/schedstat: time run, time waited). It
 * serves every softirq, not only those of packets. The kernel books a wait when it
 * ends and a run at the tick, so one interval may hold what is the one before's.
 *
 * A poll in user context (busy polling) and a NAPI thread are outside of both.
 */
#ifndef SLUICE_PRESSURE_H
#define SLUICE_PRESSURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the kernel has counted on one CPU since it started. */
struct sl_pressure_count {
	uint64_t run_ns, wait_ns; /* of ksoftirqd */
	uint64_t rounds, squeezed;
	bool online;   /* its line was there */
	bool deferred; /* its ksoftirqd could be read */
};

/* Shares of the last interval, 0 to 1. */
struct sl_pressure_figure {
	double deferred, exhausted;
	double pressure;   /* the greater one */
	uint64_t time_ns;  /* the interval; 0: no figure, the shares are 0 */
	bool has_deferred; /* false: ksoftirqd unseen, `exhausted` is all */
};

/*
 * The definition above, as a pure function; any thread. `budget_ns` is
 * netdev_budget_usecs, `time_ns` what lies between the two. A count that is less
 * than before (a CPU that went and came) gives 0.
 */
struct sl_pressure_figure
sl_pressure_between(const struct sl_pressure_count *before,
		    const struct sl_pressure_count *after, uint64_t time_ns,
		    uint64_t budget_ns);

/* The files, open, and the last reading. One thread at a time. */
struct sl_pressure;

/*
 * Opens the files and reads them once. All allocation and every open() happens here;
 * one that drops its privileges later opens first. Needs none itself, but must see
 * the kernel's threads in /proc for `deferred` (not so in a PID namespace). A CPU that
 * first comes online later has no `deferred`. 0 and the caller's *pressure, to be
 * closed with sl_pressure_close(), or -errno.
 */
int sl_pressure_open(struct sl_pressure **pressure);
void sl_pressure_close(struct sl_pressure *pressure); /* NULL is fine */

/*
 * Reads again: the figures are then those of the time since the reading before. By
 * pread() alone: 40 us on two CPUs, so ten times a second costs 0.04 % of one. 0, or
 * -errno and the figures are as before.
 */
int sl_pressure_read(struct sl_pressure *pressure);

/* netdev_budget_usecs, in ns; the kernel's default where it is not to be seen. */
uint64_t sl_pressure_budget_ns(const struct sl_pressure *pressure);

/* CPUs are numbered from 0 to this, not included; some may be offline. */
uint32_t sl_pressure_cpus(const struct sl_pressure *pressure);

/* Of the last interval; all 0 before the second reading, and when the CPU is
 * offline or there is no such. */
struct sl_pressure_figure sl_pressure_get(const struct sl_pressure *pressure,
					  uint32_t cpu);

/* What was counted up to the last reading; all 0 as above. */
struct sl_pressure_count sl_pressure_counted(const struct sl_pressure *pressure,
					     uint32_t cpu);

#endif /* SLUICE_PRESSURE_H */
