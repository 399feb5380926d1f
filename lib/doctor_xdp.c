// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* The judgement of an interface's link, XDP, MTU and offloads. */
#include "doctor.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "doctor_host.h"
#include "doctor_nic.h"
#include "finding.h"
#include "netdev_uapi.h"

/*
 * A page less 256 bytes of headroom and 320 of struct skb_shared_info: what a
 * driver with a page a packet can hand to a program in one piece. In it are the
 * Ethernet header and up to two VLAN tags, which the MTU leaves out.
 */
#define LINEAR_BYTES 3520
#define LINEAR_MTU (LINEAR_BYTES - 14 - 2 * 4)

static bool is_veth(const struct sl_nic *nic)
{
	return strcmp(nic->driver, "veth") == 0;
}

static bool has(const struct sl_nic *nic, uint64_t feature)
{
	return nic->xdp.features & feature;
}

static void judge_link(const struct sl_nic *nic, struct sl_findings *f)
{
	if (!nic->up) {
		sl_finding_add(f, "link", SL_SEVERITY_WARN, "down");
		sl_finding_means(f, "it receives nothing; queues, NAPI "
				    "instances and interrupts are mostly not "
				    "there to be seen");
		sl_finding_remedy(f, "ip link set dev %s up", nic->name);
	} else if (!nic->running) {
		sl_finding_add(f, "link", SL_SEVERITY_BAD,
			       "up, without a carrier");
		sl_finding_means(f, "it receives nothing");
		sl_finding_remedy(f,
				  "look at the cable, the transceiver and "
				  "the port at the other end; `ethtool %s`",
				  nic->name);
	} else {
		sl_finding_add(f, "link", SL_SEVERITY_OK, "up");
	}
	if (*nic->driver)
		sl_finding_add(f, "driver", SL_SEVERITY_OK, "%s%s%s%s%s",
			       nic->driver, *nic->version ? " " : "",
			       nic->version, *nic->bus ? ", " : "", nic->bus);
	else
		sl_finding_unseen(f, "driver",
				  "it does not name itself to "
				  "ethtool");
}

static void judge_attached(const struct sl_nic *nic, struct sl_findings *f)
{
	bool native = nic->attached.native;
	uint32_t id = native ? nic->attached.native : nic->attached.generic;

	if (nic->attached.err) {
		sl_finding_unseen(f, "xdp-attached", "asked by netlink: %s",
				  strerror(-nic->attached.err));
		return;
	}
	if (!id && nic->attached.offload) {
		sl_finding_add(f, "xdp-attached", SL_SEVERITY_NOTE,
			       "in the card, program id %u",
			       nic->attached.offload);
		return;
	}
	if (!id) {
		sl_finding_add(f, "xdp-attached", SL_SEVERITY_OK, "nothing");
		return;
	}
	sl_finding_add(f, "xdp-attached",
		       native ? SL_SEVERITY_OK : SL_SEVERITY_NOTE,
		       "%s, program id %u%s%s%s, held by %s",
		       native ? "native" : "generic", id,
		       *nic->attached.name ? " \"" : "", nic->attached.name,
		       *nic->attached.name ? "\"" : "",
		       *nic->attached.how ? nic->attached.how :
					    "what only root may see");
	if (!native)
		sl_finding_means(f, "generic XDP runs after the kernel has "
				    "built a socket buffer: drops cost about "
				    "what they cost without XDP");
	if (!native && !nic->xdp.err && has(nic, SL_NETDEV_XDP_BASIC))
		sl_finding_remedy(f, "this driver has native XDP: `mode "
				     "native`");
}

/* Without netdev-genl a native program that runs is the one proof there is. */
static void judge_unasked(const struct sl_nic *nic, struct sl_findings *f)
{
	static const char *const names[] = { "xdp-frags", "xdp-redirect",
					     "xdp-redirect-target", "zero-copy",
					     "rx-metadata" };

	if (nic->attached.native)
		sl_finding_add(f, "xdp-native", SL_SEVERITY_OK,
			       "yes: a native program is attached");
	else
		sl_finding_unseen(f, "xdp-native",
				  "netdev-genl cannot be asked (%s); `mode "
				  "auto` tries, and says what it got",
				  sl_doctor_why(nic->xdp.err));
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		sl_finding_unseen(f, names[i],
				  "netdev-genl cannot be asked (%s)",
				  sl_doctor_why(nic->xdp.err));
}

/* What a driver without it cannot do is in `consequence`. */
static void judge_feature(const struct sl_nic *nic, uint64_t feature,
			  const char *name, struct sl_findings *f,
			  const char *consequence)
{
	if (has(nic, feature)) {
		sl_finding_add(f, name, SL_SEVERITY_OK, "yes");
		return;
	}
	sl_finding_add(f, name, SL_SEVERITY_NOTE, "no");
	sl_finding_means(f, "%s", consequence);
}

static void judge_target(const struct sl_nic *nic, struct sl_findings *f)
{
	if (has(nic, SL_NETDEV_XDP_NDO_XMIT)) {
		sl_finding_add(f, "xdp-redirect-target", SL_SEVERITY_OK,
			       "yes%s",
			       has(nic, SL_NETDEV_XDP_NDO_XMIT_SG) ?
				       ", also packets of several buffers" :
				       ", packets of one buffer");
		return;
	}
	sl_finding_add(f, "xdp-redirect-target",
		       is_veth(nic) ? SL_SEVERITY_WARN : SL_SEVERITY_NOTE,
		       "no");
	sl_finding_means(f, "what another interface's native program "
			    "redirects to this one is dropped");
	/* They arrive at the peer, in its NAPI; looked at when a veth opens. */
	if (is_veth(nic))
		sl_finding_remedy(f,
				  "at the peer: `ethtool -K PEER gro on` or "
				  "an XDP program; then `ip link set dev %s "
				  "down` and `up`",
				  nic->name);
	else
		sl_finding_remedy(f, "some drivers take redirected packets "
				     "only while they run an XDP program "
				     "themselves: attach one here");
}

static void judge_zero_copy(const struct sl_nic *nic, struct sl_findings *f)
{
	judge_feature(nic, SL_NETDEV_XDP_ZEROCOPY, "zero-copy", f,
		      "AF_XDP sockets copy each packet: sluice-fwd works, more "
		      "slowly; `zero-copy require` refuses to start");
	if (!has(nic, SL_NETDEV_XDP_ZEROCOPY))
		return;
	if (!nic->xdp.has_segments) {
		sl_finding_unseen(f, "zero-copy-segments",
				  "Linux 6.6 and newer tell it");
		return;
	}
	if (nic->xdp.zc_segments > 1) {
		sl_finding_add(f, "zero-copy-segments", SL_SEVERITY_OK, "%u",
			       nic->xdp.zc_segments);
		return;
	}
	sl_finding_add(f, "zero-copy-segments", SL_SEVERITY_NOTE, "1");
	sl_finding_means(f,
			 "a socket for packets of several buffers (an MTU "
			 "over %u) is given copy mode",
			 LINEAR_MTU);
}

static void judge_metadata(const struct sl_nic *nic, struct sl_findings *f)
{
	uint64_t m = nic->xdp.metadata;

	if (!nic->xdp.has_metadata)
		sl_finding_unseen(f, "rx-metadata",
				  "Linux 6.8 and newer tell it");
	else if (!m)
		sl_finding_add(f, "rx-metadata", SL_SEVERITY_OK, "none");
	else
		sl_finding_add(f, "rx-metadata", SL_SEVERITY_OK, "%s%s%s",
			       m & SL_NETDEV_RX_TIMESTAMP ? "timestamp " : "",
			       m & SL_NETDEV_RX_HASH ? "hash " : "",
			       m & SL_NETDEV_RX_VLAN ? "VLAN tag" : "");
}

static void judge_features(const struct sl_nic *nic, struct sl_findings *f)
{
	if (nic->xdp.err) {
		judge_unasked(nic, f);
		return;
	}
	if (!has(nic, SL_NETDEV_XDP_BASIC)) {
		sl_finding_add(f, "xdp-native", SL_SEVERITY_WARN, "no");
		sl_finding_means(f, "the driver has no XDP, or has it not in "
				    "this state: only generic XDP works, at "
				    "about the cost of the kernel's own stack");
		sl_finding_remedy(f, is_veth(nic) ?
					     "give it as many receive queues "
					     "as its peer has transmit queues "
					     "(`ethtool -L`), or `mode "
					     "generic`" :
					     "`mode generic`, or `mode auto`");
		return;
	}
	sl_finding_add(f, "xdp-native", SL_SEVERITY_OK, "yes");
	judge_feature(nic, SL_NETDEV_XDP_RX_SG, "xdp-frags", f,
		      "native XDP takes packets of one buffer alone: `frags "
		      "on` does not help with a large MTU here");
	judge_feature(nic, SL_NETDEV_XDP_REDIRECT, "xdp-redirect", f,
		      "`redirect` and `forward` rules do not work in native "
		      "mode");
	judge_target(nic, f);
	judge_zero_copy(nic, f);
	judge_metadata(nic, f);
}

static void judge_mtu(const struct sl_nic *nic, struct sl_findings *f)
{
	bool frags = !nic->xdp.err && has(nic, SL_NETDEV_XDP_RX_SG);

	if (nic->mtu <= LINEAR_MTU) {
		sl_finding_add(f, "mtu", SL_SEVERITY_OK,
			       "%u; XDP without frags takes at most about %u",
			       nic->mtu, LINEAR_MTU);
		return;
	}
	sl_finding_add(f, "mtu", SL_SEVERITY_WARN, "%u", nic->mtu);
	sl_finding_means(f,
			 "a program without frags takes packets of at most "
			 "%u bytes: native XDP is refused at this MTU, or "
			 "drops what is larger",
			 LINEAR_BYTES);
	if (frags || nic->xdp.err)
		sl_finding_remedy(f,
				  "`frags on`, or `ip link set dev %s mtu "
				  "%u`",
				  nic->name, LINEAR_MTU);
	else
		sl_finding_remedy(f,
				  "`ip link set dev %s mtu %u`, or `mode "
				  "generic`",
				  nic->name, LINEAR_MTU);
}

static void judge_lro(const struct sl_nic *nic, struct sl_findings *f)
{
	const char *which = nic->offload.lro ? "lro" : "rx-gro-hw";

	if (!nic->offload.lro && !nic->offload.gro_hw) {
		sl_finding_add(f, "lro", SL_SEVERITY_OK, "off");
		return;
	}
	sl_finding_add(f, "lro", SL_SEVERITY_WARN, "%s on", which);
	sl_finding_means(f, "the card merges packets before XDP sees them: "
			    "drivers refuse a native program, or rules see "
			    "lengths that were never on the wire");
	sl_finding_remedy(f, "ethtool -K %s %s off", nic->name, which);
}

static void judge_vlan(const struct sl_nic *nic, struct sl_findings *f)
{
	if (!nic->offload.rx_vlan) {
		sl_finding_add(f, "vlan-offload", SL_SEVERITY_OK, "off");
		return;
	}
	sl_finding_add(f, "vlan-offload", SL_SEVERITY_WARN, "rx on");
	sl_finding_means(f, "VLAN tags are taken off before XDP: `vlan` rules "
			    "do not match, and what is forwarded loses its "
			    "tag; without VLANs it does not matter");
	sl_finding_remedy(f, "ethtool -K %s rxvlan off", nic->name);
}

/* What a veth's own stack leaves undone is undone when its peer sees it. */
static void judge_veth(const struct sl_nic *nic, struct sl_findings *f)
{
	bool large = nic->offload.tso || nic->offload.gso;

	if (!is_veth(nic))
		return;
	if (nic->offload.tx_checksum || large) {
		sl_finding_add(f, "veth-offload", SL_SEVERITY_WARN, "%s%s%s",
			       nic->offload.tx_checksum ? "tx-checksum " : "",
			       nic->offload.tso ? "tso " : "",
			       nic->offload.gso ? "gso" : "");
		sl_finding_means(f, "packets sent here arrive at the peer "
				    "without a checksum and up to 64 KiB "
				    "large: through AF_XDP or redirected they "
				    "are broken or dropped");
		sl_finding_remedy(f, "ethtool -K %s tx off tso off gso off",
				  nic->name);
	} else {
		sl_finding_add(f, "veth-offload", SL_SEVERITY_OK, "off");
	}
	if (nic->offload.gro || nic->attached.native) {
		sl_finding_add(f, "gro", SL_SEVERITY_OK, "%s",
			       nic->offload.gro ? "on" : "off");
		return;
	}
	sl_finding_add(f, "gro", SL_SEVERITY_WARN, "off");
	sl_finding_means(f, "a veth with neither GRO nor an XDP program has no "
			    "NAPI: what is redirected to its peer is dropped");
	sl_finding_remedy(f, "ethtool -K %s gro on", nic->name);
}

static void judge_offload(const struct sl_nic *nic, struct sl_findings *f)
{
	if (nic->offload.err) {
		sl_finding_unseen(f, "lro", "asked by ethtool netlink: %s",
				  sl_doctor_why(nic->offload.err));
		sl_finding_unseen(f, "vlan-offload",
				  "asked by ethtool netlink: %s",
				  sl_doctor_why(nic->offload.err));
		return;
	}
	judge_lro(nic, f);
	judge_vlan(nic, f);
	judge_veth(nic, f);
}

void sl_doctor_judge_xdp(const struct sl_nic *nic, const struct sl_host *host,
			 struct sl_findings *findings)
{
	(void)host;
	judge_link(nic, findings);
	judge_attached(nic, findings);
	judge_features(nic, findings);
	judge_mtu(nic, findings);
	judge_offload(nic, findings);
	sl_finding_add(findings, "promiscuous", SL_SEVERITY_OK, "%s",
		       nic->promiscuous ? "on" : "off");
	if (!nic->promiscuous)
		sl_finding_means(findings,
				 "frames for other MAC addresses do not "
				 "arrive; sluice-fwd turns it on for its wires "
				 "while it runs");
}
