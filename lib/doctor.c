// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "doctor.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>

#include "doctor_host.h"
#include "doctor_nic.h"
#include "finding.h"

const char *sl_doctor_why(int err)
{
	switch (err) {
	case -ENOENT:
		return "not in this kernel";
	case -EOPNOTSUPP:
		return "not in this kernel, or not for this driver";
	default:
		return strerror(-err);
	}
}

/* What a probe found; the consequence and the remedy where it is refused. */
static void judge_probe(struct sl_findings *f, const char *name, int err,
			const char *consequence, const char *remedy)
{
	if (!err) {
		sl_finding_add(f, name, SL_SEVERITY_OK, "yes");
		return;
	}
	sl_finding_add(f, name, SL_SEVERITY_NOTE, "no: %s", strerror(-err));
	sl_finding_means(f, "%s", consequence);
	sl_finding_remedy(f, "%s", remedy);
}

static void judge_jit(const struct sl_probe *p, struct sl_findings *f)
{
	if (p->jit < 0) {
		sl_finding_unseen(f, "bpf-jit",
				  "a loaded program tells, and that wants "
				  "CAP_BPF and CAP_NET_ADMIN");
	} else if (p->jit) {
		sl_finding_add(f, "bpf-jit", SL_SEVERITY_OK, "on");
	} else {
		sl_finding_add(f, "bpf-jit", SL_SEVERITY_BAD, "off");
		sl_finding_means(f, "BPF programs are interpreted: the filter "
				    "takes several times as long a packet");
		sl_finding_remedy(f, "sysctl net.core.bpf_jit_enable=1");
	}
}

static void judge_bpf(const struct sl_probe *p, struct sl_findings *f)
{
	static const char *const unseen[] = { "attach-shared", "fentry",
					      "trace" };

	judge_probe(f, "btf", p->btf,
		    "the kernel does not tell its types: `sluice trace` and "
		    "`attach shared` want them",
		    "a kernel with CONFIG_DEBUG_INFO_BTF");
	if (p->program) {
		sl_finding_add(f, "bpf", SL_SEVERITY_WARN, "refused: %s",
			       strerror(-p->program));
		sl_finding_means(f, "this process cannot load the filter, and "
				    "what this kernel's BPF can do is not "
				    "seen");
		sl_finding_remedy(f, "run as root, or with CAP_BPF, "
				     "CAP_NET_ADMIN and CAP_PERFMON");
		judge_jit(p, f);
		for (size_t i = 0; i < sizeof(unseen) / sizeof(*unseen); i++)
			sl_finding_unseen(f, unseen[i],
					  "this process may not load BPF "
					  "programs");
		return;
	}
	sl_finding_add(f, "bpf", SL_SEVERITY_OK, "an XDP program loads");
	judge_jit(p, f);
	judge_probe(f, "attach-shared", p->freplace,
		    "no freplace, so libxdp's dispatcher cannot hold several "
		    "programs: `attach shared` is refused",
		    "use `attach exclusive`; extension slots (`sluice ext`) "
		    "need no freplace");
	judge_probe(f, "fentry", p->fentry,
		    "programs before kernel functions are refused; Sluice "
		    "uses none, other tools do",
		    "none is needed");
	judge_probe(f, "trace", p->tp_btf,
		    "tp_btf programs are refused: `sluice trace` reads /proc "
		    "instead, and tells less",
		    "a kernel with CONFIG_DEBUG_INFO_BTF and the tracepoint "
		    "napi:napi_poll");
}

static void judge_namespaced(const struct sl_probe *p, struct sl_findings *f)
{
	static const char why[] = "tried in a network namespace of its own, "
				  "which wants CAP_SYS_ADMIN";

	if (p->namespaced || p->program)
		sl_finding_unseen(f, "xdp-link", "%s",
				  p->namespaced ? why :
						  "this process may not load "
						  "BPF programs");
	else
		judge_probe(f, "xdp-link", p->link,
			    "the filter cannot be held by a pinned link, and "
			    "`attach exclusive` goes by netlink: another "
			    "program's exit may take it off",
			    "a kernel with BPF links for XDP (5.9)");
	if (p->namespaced || p->socket)
		sl_finding_unseen(f, "ring-remap", "%s",
				  p->namespaced ? why :
						  "this process gets no "
						  "AF_XDP socket");
	else
		judge_probe(f, "ring-remap", p->remap,
			    "a new sluice-fwd cannot take over the rings of a "
			    "bound socket: a restart leaves a gap of the size "
			    "of the ring",
			    "Linux 6.4 or newer");
}

static void judge_sockets(const struct sl_probe *p, struct sl_findings *f)
{
	if (p->socket) {
		sl_finding_add(f, "af-xdp", SL_SEVERITY_WARN, "refused: %s",
			       strerror(-p->socket));
		sl_finding_means(f, "sluice-fwd cannot open its sockets");
		sl_finding_remedy(f, p->socket == -EPERM ?
					     "run it as root, or with "
					     "CAP_NET_RAW" :
					     "a kernel with "
					     "CONFIG_XDP_SOCKETS");
		sl_finding_unseen(f, "af-xdp-frags",
				  "this process gets no AF_XDP socket");
	} else {
		sl_finding_add(f, "af-xdp", SL_SEVERITY_OK, "yes");
		judge_probe(f, "af-xdp-frags", p->use_sg,
			    "no XDP_USE_SG: a packet of several buffers never "
			    "reaches an AF_XDP socket, and counts as "
			    "rx_dropped",
			    "Linux 6.6 or newer, or an MTU of at most 3498");
	}
	judge_probe(f, "prefer-busy-poll", p->busy_poll,
		    "sockets cannot ask to be polled: `poll busy` is not to "
		    "be had",
		    "a kernel with CONFIG_NET_RX_BUSY_POLL");
	judge_namespaced(p, f);
}

static void judge_netdev(const struct sl_host *h, struct sl_findings *f)
{
	if (h->netdev.err) {
		sl_finding_add(f, "netdev-genl", SL_SEVERITY_NOTE, "no: %s",
			       sl_doctor_why(h->netdev.err));
		sl_finding_means(f, "what a driver can do with XDP cannot be "
				    "asked, only tried");
		sl_finding_remedy(f, "Linux 6.3 or newer");
	} else if (!h->netdev.queues) {
		sl_finding_add(f, "netdev-genl", SL_SEVERITY_NOTE,
			       "features only");
		sl_finding_means(f, "queues and their NAPI instances cannot be "
				    "asked; settings are of the whole "
				    "interface, by /sys");
		sl_finding_remedy(f, "Linux 6.8 or newer");
	} else if (!h->netdev.set) {
		sl_finding_add(f, "netdev-genl", SL_SEVERITY_NOTE,
			       "features, queues");
		sl_finding_means(f, "settings are of the whole interface, by "
				    "/sys, not of a NAPI instance");
		sl_finding_remedy(f, "Linux 6.13 or newer");
	} else {
		sl_finding_add(f, "netdev-genl", SL_SEVERITY_OK,
			       "features, queues, settings per NAPI");
	}
}

static void judge_capabilities(const struct sl_host *h, struct sl_findings *f)
{
	static const struct {
		unsigned number;
		const char *name, *use;
	} wanted[] = {
		{ CAP_NET_ADMIN, "CAP_NET_ADMIN",
		  "attach, tune, SO_PREFER_BUSY_POLL" },
		{ CAP_NET_RAW, "CAP_NET_RAW", "AF_XDP sockets" },
		{ CAP_BPF, "CAP_BPF", "load programs" },
		{ CAP_PERFMON, "CAP_PERFMON", "trace" },
		{ CAP_SYS_ADMIN, "CAP_SYS_ADMIN",
		  "find programs and maps by id, mount the bpffs" },
		{ CAP_IPC_LOCK, "CAP_IPC_LOCK", "a UMEM over memlock" },
	};
	char missing[512] = "", *to = missing;

	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
		if (!(h->capabilities >> wanted[i].number & 1))
			to += sprintf(to, "%s%s (%s)",
				      to == missing ? "" : ", ", wanted[i].name,
				      wanted[i].use);
	if (to == missing) {
		sl_finding_add(f, "capabilities", SL_SEVERITY_OK,
			       "all that Sluice uses");
		return;
	}
	sl_finding_add(f, "capabilities", SL_SEVERITY_WARN, "missing: %s",
		       missing);
	sl_finding_means(f, "what stands behind each will be refused to this "
			    "process");
	sl_finding_remedy(f, "run as root, or give the service these "
			     "capabilities (AmbientCapabilities= of systemd)");
}

static void judge_memlock(const struct sl_host *h, struct sl_findings *f)
{
	/* One worker of sluice-fwd with two ports: 2 * 4,096 frames of a page
	 * (SL_PORT_FRAMES), and its rings. */
	const uint64_t enough = 36ull << 20;
	bool exempt = h->capabilities >> CAP_IPC_LOCK & 1;

	if (h->memlock.rlim_max == RLIM_INFINITY) {
		sl_finding_add(f, "memlock", SL_SEVERITY_OK, "unlimited");
		return;
	}
	sl_finding_add(f, "memlock",
		       exempt || h->memlock.rlim_max >= enough ?
			       SL_SEVERITY_OK :
			       SL_SEVERITY_WARN,
		       "%" PRIu64 " KiB%s", (uint64_t)h->memlock.rlim_max >> 10,
		       exempt ? "; CAP_IPC_LOCK lifts it" : "");
	if (exempt || h->memlock.rlim_max >= enough)
		return;
	sl_finding_means(f, "a UMEM counts against it: sluice-fwd may be "
			    "refused its frames (ENOBUFS)");
	sl_finding_remedy(f, "LimitMEMLOCK=infinity of systemd, or "
			     "CAP_IPC_LOCK");
}

static void judge_closed(const struct sl_host *h, struct sl_findings *f)
{
	if (h->unprivileged_bpf < 0) {
		sl_finding_unseen(f, "unprivileged-bpf",
				  "kernel.unprivileged_bpf_disabled cannot be "
				  "read here");
	} else if (h->unprivileged_bpf) {
		sl_finding_add(f, "unprivileged-bpf", SL_SEVERITY_OK, "closed");
	} else {
		sl_finding_add(f, "unprivileged-bpf", SL_SEVERITY_WARN, "open");
		sl_finding_means(f, "any user may load BPF programs; Sluice "
				    "needs that not, and the kernel warns of "
				    "it on CPUs with Spectre v2");
		sl_finding_remedy(f, "sysctl "
				     "kernel.unprivileged_bpf_disabled=2");
	}
	if (h->jit_harden < 0) {
		sl_finding_unseen(f, "jit-harden",
				  "net.core.bpf_jit_harden can be read by root "
				  "in the first network namespace only");
	} else if (h->jit_harden < 2) {
		sl_finding_add(f, "jit-harden", SL_SEVERITY_OK, "%d",
			       h->jit_harden);
	} else {
		sl_finding_add(f, "jit-harden", SL_SEVERITY_WARN, "2");
		sl_finding_means(f, "constants of root's programs are blinded, "
				    "too: the filter is larger and slower");
		sl_finding_remedy(f, "sysctl net.core.bpf_jit_harden=1, which "
				     "blinds those of other users alone");
	}
}

static void judge_mitigations(const struct sl_host *h, struct sl_findings *f)
{
	if (!*h->spectre_v2) {
		sl_finding_unseen(f, "spectre-v2",
				  "/sys/devices/system/cpu/vulnerabilities "
				  "cannot be read here");
	} else if (strstr(h->spectre_v2, "Retpoline")) {
		sl_finding_add(f, "spectre-v2", SL_SEVERITY_NOTE, "%s",
			       h->spectre_v2);
		sl_finding_means(f, "every indirect call in the kernel goes "
				    "through a retpoline: a driver's and a "
				    "tail call cost some 10 ns more a packet");
		sl_finding_remedy(f, "a CPU with enhanced IBRS; do not switch "
				     "it off on a machine with other users");
	} else {
		sl_finding_add(f, "spectre-v2", SL_SEVERITY_OK, "%s",
			       h->spectre_v2);
	}
}

static void judge_irqbalance(const struct sl_host *h, struct sl_findings *f)
{
	if (h->irqbalance < 0) {
		sl_finding_unseen(f, "irqbalance",
				  "/proc hides the processes of other users");
	} else if (h->irqbalance) {
		sl_finding_add(f, "irqbalance", SL_SEVERITY_WARN,
			       "runs, pid %d", h->irqbalance);
		sl_finding_means(f, "it moves interrupts between CPUs: what "
				    "`sluice tune` sets does not stay, and "
				    "workers lose their caches");
		sl_finding_remedy(f, "`systemctl stop irqbalance`, or ban the "
				     "interrupts of these interfaces "
				     "(--banirq)");
	} else {
		sl_finding_add(f, "irqbalance", SL_SEVERITY_OK, "does not run");
	}
}

void sl_doctor_judge_host(const struct sl_host *host,
			  struct sl_findings *findings)
{
	sl_finding_add(findings, "kernel", SL_SEVERITY_OK, "Linux %s, %u CPU%s",
		       host->release, host->cpus, host->cpus == 1 ? "" : "s");
	judge_bpf(&host->probe, findings);
	judge_sockets(&host->probe, findings);
	judge_netdev(host, findings);
	judge_capabilities(host, findings);
	judge_memlock(host, findings);
	judge_closed(host, findings);
	judge_mitigations(host, findings);
	judge_irqbalance(host, findings);
}

void sl_doctor_judge_nic(const struct sl_nic *nic, const struct sl_host *host,
			 struct sl_findings *findings)
{
	sl_doctor_judge_xdp(nic, host, findings);
	sl_doctor_judge_queues(nic, host, findings);
	sl_doctor_judge_polling(nic, host, findings);
}
