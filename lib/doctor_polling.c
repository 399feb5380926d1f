// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* The judgement of an interface's NAPI instances, interrupts and their CPUs. */
#include "doctor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "doctor_host.h"
#include "doctor_nic.h"
#include "finding.h"
#include "netdev_uapi.h"
#include "sysfs.h"

static size_t count_named(const struct sl_nic *nic)
{
	size_t n = 0;

	for (size_t i = 0; i < nic->queues.n; i++)
		n += !nic->queues.items[i].tx && nic->queues.items[i].napi;
	return n;
}

static void judge_napi(const struct sl_nic *nic, struct sl_findings *f)
{
	size_t named = count_named(nic), rx = sl_nic_count_queues(nic, false);

	if (nic->queues.err) {
		sl_finding_unseen(f, "napi",
				  "netdev-genl does not tell of queues (%s); "
				  "Linux 6.8 and newer do",
				  sl_doctor_why(nic->queues.err));
	} else if (!nic->up) {
		sl_finding_unseen(f, "napi", "the interface is down");
	} else {
		sl_finding_add(f, "napi", SL_SEVERITY_OK,
			       "%zu of %zu receive queues name their NAPI",
			       named, rx);
	}
}

static void judge_busy_poll(const struct sl_nic *nic,
			    const struct sl_host *host, struct sl_findings *f)
{
	if (host->probe.busy_poll) {
		sl_finding_add(f, "busy-poll", SL_SEVERITY_NOTE,
			       "no: the kernel has not "
			       "CONFIG_NET_RX_BUSY_POLL");
	} else if (nic->queues.err || !nic->up) {
		sl_finding_unseen(f, "busy-poll",
				  "%s; sluice-fwd tries, and believes only "
				  "polls that it sees",
				  nic->up ? "a queue's NAPI cannot be asked" :
					    "the interface is down");
		return;
	} else if (count_named(nic) == sl_nic_count_queues(nic, false)) {
		sl_finding_add(f, "busy-poll", SL_SEVERITY_OK,
			       "the driver names each queue's NAPI");
		return;
	} else if (!host->netdev.set) {
		/* A socket then learns it from xdp_rxq_info, with its first packet. */
		sl_finding_unseen(f, "busy-poll",
				  "before Linux 6.13 drivers told it to the "
				  "sockets alone; sluice-fwd tries, and "
				  "believes only polls that it sees");
		return;
	} else {
		sl_finding_add(f, "busy-poll", SL_SEVERITY_NOTE,
			       "no: the driver names no NAPI for its queues");
	}
	sl_finding_means(f, "`poll busy` does nothing here: the kernel accepts "
			    "SO_PREFER_BUSY_POLL and goes on by interrupts");
	sl_finding_remedy(f, "`poll adaptive` with deferral");
}

static uint32_t find_napi(const struct sl_nic *nic, uint32_t queue, bool tx)
{
	for (size_t i = 0; i < nic->queues.n; i++)
		if (nic->queues.items[i].tx == tx &&
		    nic->queues.items[i].id == queue)
			return nic->queues.items[i].napi;
	return 0;
}

/*
 * Can a zero-copy socket that prefers busy polling send? xsk_no_wakeup(), net/xdp/xsk.c: only if
 * what its sendto() polls, the NAPI of reception, is that of transmission. Not said where a
 * driver names one of the two alone.
 */
static void judge_busy_send(const struct sl_nic *nic, struct sl_findings *f)
{
	size_t pairs = 0, split = 0;

	if (!nic->up || !(nic->xdp.features & SL_NETDEV_XDP_ZEROCOPY))
		return;
	for (size_t i = 0; i < nic->queues.n; i++) {
		const struct sl_nic_queue *queue = &nic->queues.items[i];
		uint32_t tx = find_napi(nic, queue->id, true);

		if (queue->tx || !queue->napi || !tx)
			continue;
		pairs++;
		split += queue->napi != tx;
	}
	if (!pairs)
		return;
	if (!split) {
		sl_finding_add(f, "busy-poll-send", SL_SEVERITY_OK,
			       "RX and TX of a queue have one NAPI");
		return;
	}
	sl_finding_add(f, "busy-poll-send", SL_SEVERITY_NOTE,
		       "no: RX and TX have different NAPI on %zu of %zu queues",
		       split, pairs);
	sl_finding_means(f, "busy polling does not send: sendto() of a "
			    "zero-copy socket with SO_PREFER_BUSY_POLL polls "
			    "the NAPI of reception, and wakes no driver");
	sl_finding_remedy(f, "leave that option off, as sluice-fwd does here%s",
			  strcmp(nic->driver, "igb") == 0 ?
				  ", or `ethtool -L` to more than half of the "
				  "queues there can be, which pairs them" :
				  "");
}

/* The settings that count: a NAPI's own, else the interface's by /sys. */
static const struct sl_nic_polling *find_polling(const struct sl_nic *nic,
						 bool *differ)
{
	const struct sl_nic_polling *found = NULL;

	*differ = false;
	for (size_t i = 0; i < nic->queues.n; i++) {
		const struct sl_nic_polling *p = &nic->queues.items[i].polling;

		if (p->err)
			continue;
		if (!found)
			found = p;
		*differ |= p->defer_hard_irqs != found->defer_hard_irqs ||
			   p->gro_flush_ns != found->gro_flush_ns ||
			   p->suspend_ns != found->suspend_ns;
	}
	if (found)
		return found;
	return nic->sysfs.visible && !nic->sysfs.polling.err ?
		       &nic->sysfs.polling :
		       NULL;
}

static void judge_values(const struct sl_nic *nic, struct sl_findings *f,
			 const struct sl_nic_polling *p, bool differ)
{
	bool half = !p->defer_hard_irqs != !p->gro_flush_ns;
	enum sl_severity severity = SL_SEVERITY_OK;

	if (half)
		severity = SL_SEVERITY_WARN;
	else if (!p->defer_hard_irqs)
		severity = SL_SEVERITY_NOTE;
	sl_finding_add(f, "deferral", severity,
		       "napi_defer_hard_irqs %" PRIu64
		       ", gro_flush_timeout %" PRIu64 " ns%s",
		       p->defer_hard_irqs, p->gro_flush_ns,
		       differ ? ", and others on other queues" : "");
	if (half)
		sl_finding_means(f, "one without the other defers no "
				    "interrupt");
	else if (!p->defer_hard_irqs)
		sl_finding_means(f, "a poll that empties the queue ends, and "
				    "turns the interrupt on again: at low "
				    "and middling rates one for each packet");
	else
		return;
	sl_finding_remedy(f,
			  "`sluice tune apply %s`, or write 2 to "
			  "/sys/class/net/%s/napi_defer_hard_irqs and "
			  "200000 (ns) to gro_flush_timeout beside it",
			  nic->name, nic->name);
}

static void judge_deferral(const struct sl_nic *nic, struct sl_findings *f)
{
	const struct sl_nic_polling *p;
	bool differ;

	p = find_polling(nic, &differ);
	if (!p) {
		sl_finding_unseen(
			f, "deferral",
			nic->sysfs.visible ?
				"neither netdev-genl nor /sys tells" :
				"/sys is not this network "
				"namespace's: ask by `ip netns exec`, "
				"which mounts it anew");
		sl_finding_unseen(f, "irq-suspend",
				  "netdev-genl of Linux 6.13 and newer tells, "
				  "where a driver names its NAPI");
		return;
	}
	judge_values(nic, f, p, differ);
	if (p->suspend_err)
		sl_finding_unseen(f, "irq-suspend",
				  "netdev-genl of Linux 6.13 and newer tells, "
				  "where a driver names its NAPI");
	else
		sl_finding_add(f, "irq-suspend", SL_SEVERITY_OK,
			       "%" PRIu64 " ns%s", p->suspend_ns,
			       p->suspend_ns ? "" : ": off");
}

static void judge_threaded(const struct sl_nic *nic, struct sl_findings *f)
{
	bool known = nic->sysfs.visible && !nic->sysfs.polling.threaded_err;
	unsigned mode = known ? nic->sysfs.polling.threaded : 0;

	for (size_t i = 0; i < nic->queues.n; i++)
		if (!nic->queues.items[i].polling.threaded_err) {
			known = true;
			mode |= nic->queues.items[i].polling.threaded;
		}
	if (!known) {
		sl_finding_unseen(f, "napi-threaded",
				  "neither netdev-genl nor this /sys tells");
		return;
	}
	sl_finding_add(f, "napi-threaded",
		       mode ? SL_SEVERITY_NOTE : SL_SEVERITY_OK, "%s",
		       mode & 2 ? "on, polling busily" :
		       mode	? "on" :
				  "off");
	if (mode)
		sl_finding_means(f, "polls run in kernel threads: the "
				    "scheduler, not the interrupt's CPU, says "
				    "where and when");
}

/*
 * Do packets cause it? Configuration and link changes have one of their own
 * with many drivers: virtio2-config, and eth1 beside eth1-rx-0.
 */
static bool is_data(const struct sl_nic *nic, const struct sl_nic_irq *irq)
{
	return *irq->effective && !strstr(irq->name, "config") &&
	       (nic->irqs.n == 1 || strcmp(irq->name, nic->name) != 0);
}

static void judge_irqs(const struct sl_nic *nic, const struct sl_host *host,
		       struct sl_findings *f)
{
	const char *first = NULL;
	size_t n = 0, far = 0;
	bool spread = false;

	for (size_t i = 0; i < nic->irqs.n; i++) {
		const struct sl_nic_irq *irq = &nic->irqs.items[i];

		if (!is_data(nic, irq))
			continue;
		n++;
		if (!first)
			first = irq->effective;
		spread |= strcmp(first, irq->effective) != 0;
		far += *nic->sysfs.local_cpus &&
		       !sl_sysfs_list_has(nic->sysfs.local_cpus,
					  strtol(irq->effective, NULL, 10));
	}
	if (!nic->sysfs.visible || (nic->irqs.n && !n)) {
		sl_finding_unseen(f, "irqs",
				  "/sys or /proc/irq does not show "
				  "them here");
	} else if (!n) {
		sl_finding_add(f, "irqs", SL_SEVERITY_OK, "none: %s",
			       nic->up ? "a device in software" :
					 "the interface is down");
	} else if (far) {
		sl_finding_add(f, "irqs", SL_SEVERITY_WARN,
			       "%zu of %zu on CPUs far from the card", far, n);
		sl_finding_means(f, "each packet crosses between NUMA nodes");
		sl_finding_remedy(f,
				  "`sluice tune apply %s`, or write CPUs of %s "
				  "to /proc/irq/N/smp_affinity_list",
				  nic->name, nic->sysfs.local_cpus);
	} else if (sl_nic_count_queues(nic, false) > 1 && host->cpus > 1 &&
		   n > 1 && !spread) {
		sl_finding_add(f, "irqs", SL_SEVERITY_WARN,
			       "%zu, all on CPU %s", n, first);
		sl_finding_means(f, "one core does the work of all queues");
		sl_finding_remedy(f,
				  "`sluice tune apply %s`, or write a CPU for "
				  "each to /proc/irq/N/smp_affinity_list",
				  nic->name);
	} else {
		sl_finding_add(f, "irqs", SL_SEVERITY_OK, "%zu on CPU%s %s", n,
			       spread ? "s" : "",
			       spread ? "of their own" : first);
	}
}

void sl_doctor_judge_polling(const struct sl_nic *nic,
			     const struct sl_host *host,
			     struct sl_findings *findings)
{
	judge_napi(nic, findings);
	judge_busy_poll(nic, host, findings);
	judge_busy_send(nic, findings);
	judge_deferral(nic, findings);
	judge_threaded(nic, findings);
	judge_irqs(nic, host, findings);
	if (nic->sysfs.numa_node >= 0)
		sl_finding_add(findings, "numa-node", SL_SEVERITY_OK, "%d",
			       nic->sysfs.numa_node);
}
