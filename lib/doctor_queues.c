// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The judgement of an interface's queues: how many, which of them packets go
 * to, which of them sockets wait at, and how much they hold.
 */
#include "doctor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "doctor_host.h"
#include "doctor_nic.h"
#include "finding.h"

#define LIST_BYTES 128
/* A burst of 64 bytes at 10 Gbit/s fills so many entries in 34 us. */
#define RING_SHORT 512

typedef bool (*chosen_fn)(const struct sl_nic *nic, uint32_t queue);

static uint32_t count_rx(const struct sl_nic *nic)
{
	if (!nic->channels.err && nic->channels.rx)
		return nic->channels.rx;
	return (uint32_t)sl_nic_count_queues(nic, false);
}

/* "0-3,6" of the receive queues that are chosen; how many those are. */
static uint32_t list_queues(const struct sl_nic *nic, chosen_fn chosen,
			    char *text)
{
	uint32_t n = 0, total = count_rx(nic);
	size_t used = 0;

	*text = '\0';
	for (uint32_t first = 0; first < total; first++) {
		uint32_t last = first;

		if (!chosen(nic, first))
			continue;
		while (last + 1 < total && chosen(nic, last + 1))
			last++;
		n += last - first + 1;
		if (used + 24 < LIST_BYTES)
			used += (size_t)snprintf(text + used, LIST_BYTES - used,
						 first == last ? "%s%u" :
								 "%s%u-%u",
						 used ? "," : "", first, last);
		first = last;
	}
	return n;
}

static bool has_socket(const struct sl_nic *nic, uint32_t queue)
{
	for (size_t i = 0; i < nic->queues.n; i++)
		if (!nic->queues.items[i].tx &&
		    nic->queues.items[i].id == queue)
			return nic->queues.items[i].socket;
	return false;
}

/* Without a table any queue may be one that the device chooses. */
static bool gets_packets(const struct sl_nic *nic, uint32_t queue)
{
	for (uint32_t i = 0; i < nic->rss.n; i++)
		if (nic->rss.table[i] == queue)
			return true;
	return !nic->rss.n;
}

static bool is_uncovered(const struct sl_nic *nic, uint32_t queue)
{
	return gets_packets(nic, queue) && !has_socket(nic, queue);
}

static void judge_channels(const struct sl_nic *nic, const struct sl_host *host,
			   struct sl_findings *f)
{
	uint32_t rx = count_rx(nic), most = nic->channels.rx_max;

	if (nic->channels.err) {
		sl_finding_add(f, "channels", SL_SEVERITY_OK,
			       "receive %u, send %zu, not to be changed", rx,
			       sl_nic_count_queues(nic, true));
		return;
	}
	if (nic->channels.tx < rx) {
		sl_finding_add(f, "channels", SL_SEVERITY_WARN,
			       "receive %u of %u, send %u of %u", rx, most,
			       nic->channels.tx, nic->channels.tx_max);
		sl_finding_means(f,
				 "a socket on a queue from %u on receives, "
				 "but what it sends is lost without an "
				 "error",
				 nic->channels.tx);
		sl_finding_remedy(f,
				  "ethtool -L %s tx %u, or fewer receive "
				  "queues",
				  nic->name, rx);
		return;
	}
	sl_finding_add(f, "channels",
		       rx == 1 && most > 1 && host->cpus > 1 ?
			       SL_SEVERITY_NOTE :
			       SL_SEVERITY_OK,
		       "receive %u of %u, send %u of %u", rx, most,
		       nic->channels.tx, nic->channels.tx_max);
	if (rx != 1 || most < 2 || host->cpus < 2)
		return;
	sl_finding_means(f, "one queue: one core takes all packets");
	sl_finding_remedy(f,
			  "`sluice tune apply %s`, or ethtool -L %s combined N "
			  "(or rx N tx N), one a worker",
			  nic->name, nic->name);
}

static void judge_rss(const struct sl_nic *nic, struct sl_findings *f)
{
	uint32_t total = count_rx(nic), used;
	char list[LIST_BYTES];

	if (total <= 1) {
		sl_finding_add(f, "rss", SL_SEVERITY_OK, "one queue");
		return;
	}
	if (nic->rss.err) {
		sl_finding_unseen(f, "rss",
				  "the driver shows no indirection table (%s): "
				  "each of %u queues may get packets",
				  sl_doctor_why(nic->rss.err), total);
		return;
	}
	used = list_queues(nic, gets_packets, list);
	sl_finding_add(f, "rss",
		       used < total ? SL_SEVERITY_NOTE : SL_SEVERITY_OK,
		       "queues %s of %u", list, total);
	if (used == total)
		return;
	sl_finding_means(f, "the other queues get no hashed packets: their "
			    "cores are idle");
	sl_finding_remedy(f,
			  "`sluice tune apply %s`, or ethtool -X %s equal %u",
			  nic->name, nic->name, total);
}

static void judge_sockets(const struct sl_nic *nic, struct sl_findings *f)
{
	char list[LIST_BYTES], missed[LIST_BYTES];
	const char *mode = "copy mode";
	uint32_t uncovered;

	/* Without sock_diag netdev-genl names those queues, since Linux 6.16. */
	if (!list_queues(nic, has_socket, list)) {
		if (nic->sockets_err)
			sl_finding_unseen(
				f, "sockets", "asked by sock_diag: %s",
				nic->sockets_err == -ENOENT ?
					"the kernel has not CONFIG_XDP_"
					"SOCKETS_DIAG" :
					strerror(-nic->sockets_err));
		else
			sl_finding_add(f, "sockets", SL_SEVERITY_OK, "none");
		return;
	}
	for (size_t i = 0; i < nic->queues.n; i++)
		if (nic->queues.items[i].zero_copy)
			mode = "zero-copy";
		else if (nic->sockets_err)
			mode = "zero-copy or not cannot be seen";
	uncovered = list_queues(nic, is_uncovered, missed);
	sl_finding_add(f, "sockets",
		       uncovered ? SL_SEVERITY_WARN : SL_SEVERITY_OK,
		       "AF_XDP on queues %s, %s", list, mode);
	if (!uncovered)
		return;
	sl_finding_means(f,
			 "packets also go to queues %s, where no socket is: "
			 "`forward` rules take their fallback for them",
			 missed);
	sl_finding_remedy(f, "one queue (ethtool -L), or an indirection table "
			     "of those queues (ethtool -X), or a worker for "
			     "each");
}

static void judge_rings(const struct sl_nic *nic, struct sl_findings *f)
{
	uint32_t rx = nic->rings.rx, most = nic->rings.rx_max;
	bool brief = rx < RING_SHORT && rx < most;

	if (nic->rings.err || !most) {
		sl_finding_add(f, "rings", SL_SEVERITY_OK,
			       "the driver has none to set");
		return;
	}
	sl_finding_add(f, "rings", brief ? SL_SEVERITY_NOTE : SL_SEVERITY_OK,
		       "receive %u of %u, send %u of %u", rx, most,
		       nic->rings.tx, nic->rings.tx_max);
	if (!brief)
		return;
	sl_finding_means(f,
			 "a burst of more than %u packets while the core is "
			 "elsewhere is lost in the card",
			 rx);
	sl_finding_remedy(f, "`sluice tune apply %s`, or ethtool -G %s rx %u",
			  nic->name, nic->name, most < 1024 ? most : 1024);
}

static void judge_coalesce(const struct sl_nic *nic, struct sl_findings *f)
{
	bool any = nic->coalesce.has_usecs || nic->coalesce.has_frames ||
		   nic->coalesce.has_adaptive;
	bool waits = nic->coalesce.rx_usecs || nic->coalesce.rx_frames > 1 ||
		     nic->coalesce.adaptive;
	char text[96] = "", *to = text;

	if (nic->coalesce.err || !any) {
		sl_finding_add(f, "coalescing", SL_SEVERITY_OK,
			       "the driver has none to set");
		return;
	}
	if (nic->coalesce.has_adaptive)
		to += sprintf(to, "adaptive %s",
			      nic->coalesce.adaptive ? "on" : "off");
	if (nic->coalesce.has_usecs)
		to += sprintf(to, "%srx-usecs %u", to == text ? "" : ", ",
			      nic->coalesce.rx_usecs);
	if (nic->coalesce.has_frames)
		sprintf(to, "%srx-frames %u", to == text ? "" : ", ",
			nic->coalesce.rx_frames);
	sl_finding_add(f, "coalescing",
		       waits ? SL_SEVERITY_OK : SL_SEVERITY_NOTE, "%s", text);
	if (waits)
		return;
	sl_finding_means(f, "the card interrupts for each packet that comes "
			    "alone: least latency, most interrupts");
	sl_finding_remedy(f,
			  "`sluice tune apply %s` (deferral, and coalescing if "
			  "the driver takes it), or ethtool -C %s %s",
			  nic->name, nic->name,
			  nic->coalesce.has_usecs ? "rx-usecs 50" :
						    "rx-frames 32");
}

void sl_doctor_judge_queues(const struct sl_nic *nic,
			    const struct sl_host *host,
			    struct sl_findings *findings)
{
	judge_channels(nic, host, findings);
	judge_rss(nic, findings);
	judge_sockets(nic, findings);
	judge_rings(nic, findings);
	judge_coalesce(nic, findings);
}
