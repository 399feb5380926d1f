// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What `sluice doctor` makes of facts: those of a machine and a card on which
 * nothing is to be said against anything, and one fact changed at a time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>

#include "lib/doctor.h"
#include "lib/doctor_host.h"
#include "lib/doctor_nic.h"
#include "lib/finding.h"
#include "lib/netdev_uapi.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define EVERYTHING (SL_NETDEV_XDP_NDO_XMIT_SG * 2 - 1)

struct world {
	struct sl_host host;
	struct sl_nic nic;
	struct sl_nic_queue queues[4];
	struct sl_nic_irq irqs[2];
	uint32_t table[4];
};

static void good(struct world *w)
{
	static const struct sl_nic_polling polling = { .defer_hard_irqs = 2,
						       .gro_flush_ns = 200000 };

	*w = (struct world){
		.host = { .release = "6.18.1",
			  .cpus = 4,
			  .probe = { .jit = 1 },
			  .capabilities = UINT64_MAX,
			  .memlock = { 8 << 20, 8 << 20 },
			  .unprivileged_bpf = 2,
			  .spectre_v2 = "Mitigation: Enhanced IBRS",
			  .netdev = { .features = true,
				      .queues = true,
				      .set = true } },
		.nic = { .name = "eth1",
			 .ifindex = 2,
			 .driver = "ice",
			 .up = true,
			 .running = true,
			 .promiscuous = true,
			 .mtu = 1500,
			 .xdp = { .features = EVERYTHING,
				  .has_segments = true,
				  .zc_segments = 8,
				  .has_metadata = true,
				  .metadata = SL_NETDEV_RX_HASH },
			 .attached = { .native = 7,
				       .name = "sluice",
				       .how = "Sluice's link" },
			 .rings = { 0, 1024, 4096, 1024, 4096 },
			 .channels = { 0, 2, 4, 2, 4 },
			 .coalesce = { .has_usecs = true, .rx_usecs = 50 },
			 .rss = { .n = 4 },
			 .queues = { .n = 4 },
			 .sysfs = { .visible = true,
				    .polling = polling,
				    .local_cpus = "0-3" },
			 .irqs = { .n = 2 } },
		.irqs = { { 30, "eth1-rx-0", "0", "0" },
			  { 31, "eth1-rx-1", "1", "1" } },
		.table = { 0, 1, 0, 1 },
	};
	for (uint32_t i = 0; i < 4; i++)
		w->queues[i] = (struct sl_nic_queue){ .id = i % 2,
						      .tx = i / 2,
						      .napi = 513 + i % 2,
						      .irq = 30,
						      .polling = polling,
						      .socket = !(i / 2),
						      .zero_copy = !(i / 2) };
	w->nic.queues.items = w->queues;
	w->nic.irqs.items = w->irqs;
	w->nic.rss.table = w->table;
}

static const struct sl_finding *find(const struct sl_findings *f,
				     const char *name)
{
	for (size_t i = 0; i < f->n_items; i++)
		if (strcmp(f->items[i].name, name) == 0)
			return &f->items[i];
	return NULL;
}

static void judge(const struct world *w, struct sl_findings *f)
{
	sl_doctor_judge_host(&w->host, f);
	sl_doctor_judge_nic(&w->nic, &w->host, f);
	assert_false(f->lost);
}

static void nothing_against_the_good(void **state)
{
	struct sl_findings f = { 0 };
	struct world w;

	(void)state;
	good(&w);
	judge(&w, &f);
	for (size_t i = 0; i < f.n_items; i++) {
		if (f.items[i].severity != SL_SEVERITY_OK)
			print_message("# %s: %s\n", f.items[i].name,
				      f.items[i].value);
		assert_int_equal(f.items[i].severity, SL_SEVERITY_OK);
		assert_true(f.items[i].known);
	}
	sl_findings_fini(&f);
}

#define CHANGE(name, statement)               \
	static void name(struct world *w)     \
	{                                     \
		struct sl_nic *nic = &w->nic; \
		struct sl_host *h = &w->host; \
                                              \
		(void)nic;                    \
		(void)h;                      \
		statement;                    \
	}

static void veth(struct sl_nic *nic)
{
	strcpy(nic->driver, "veth");
	nic->attached.native = 0;
}

static void no_napi(struct world *w)
{
	for (size_t i = 0; i < COUNT(w->queues); i++)
		w->queues[i].napi = 0;
}

static void old_kernel(struct world *w)
{
	for (size_t i = 0; i < COUNT(w->queues); i++)
		w->queues[i].polling.err = -EOPNOTSUPP;
	w->nic.xdp.err = w->nic.queues.err = -ENOENT;
	w->nic.attached.native = 0;
}

CHANGE(no_jit, h->probe.jit = 0)
CHANGE(hidden_jit, h->probe.jit = -1)
CHANGE(no_bpf, h->probe.program = -EPERM)
CHANGE(no_btf, h->probe.btf = -ENOENT)
CHANGE(no_freplace, h->probe.freplace = -EPERM)
CHANGE(no_fentry, h->probe.fentry = -EPERM)
CHANGE(no_tp_btf, h->probe.tp_btf = -EINVAL)
CHANGE(no_socket, h->probe.socket = -EPERM)
CHANGE(no_af_xdp, h->probe.socket = -EAFNOSUPPORT)
CHANGE(no_sg, h->probe.use_sg = -EOPNOTSUPP)
CHANGE(no_busy, h->probe.busy_poll = -ENOPROTOOPT)
CHANGE(no_namespace, h->probe.namespaced = -EPERM)
CHANGE(no_link, h->probe.link = -EINVAL)
CHANGE(no_remap, h->probe.remap = -EBUSY)
CHANGE(no_family, h->netdev.err = -ENOENT)
CHANGE(no_queue_get, h->netdev.queues = false)
CHANGE(no_napi_set, h->netdev.set = false)
CHANGE(no_raw, h->capabilities &= ~(1ull << CAP_NET_RAW))
CHANGE(no_lock, h->capabilities &= ~(1ull << CAP_IPC_LOCK))
CHANGE(open_bpf, h->unprivileged_bpf = 0)
CHANGE(hardened, h->jit_harden = 2)
CHANGE(hidden_harden, h->jit_harden = -1)
CHANGE(retpoline, strcpy(h->spectre_v2, "Mitigation: Retpolines"))
CHANGE(no_words, *h->spectre_v2 = '\0')
CHANGE(balanced, h->irqbalance = 77)
CHANGE(hidden_procs, h->irqbalance = -1)
CHANGE(down, nic->up = false)
CHANGE(no_carrier, nic->running = false)
CHANGE(nameless, *nic->driver = '\0')
CHANGE(generic, nic->attached.generic = 9; nic->attached.native = 0)
CHANGE(unseen_holder, *nic->attached.how = '\0')
CHANGE(no_xdp, nic->xdp.features = 0)
CHANGE(veth_no_xdp, nic->xdp.features = 0; veth(nic))
CHANGE(no_frags, nic->xdp.features &= ~SL_NETDEV_XDP_RX_SG)
CHANGE(no_redirect, nic->xdp.features &= ~SL_NETDEV_XDP_REDIRECT)
CHANGE(no_target, nic->xdp.features &= ~SL_NETDEV_XDP_NDO_XMIT)
CHANGE(veth_no_target, no_target(w); veth(nic))
CHANGE(no_zc, nic->xdp.features &= ~SL_NETDEV_XDP_ZEROCOPY)
CHANGE(one_segment, nic->xdp.zc_segments = 1)
CHANGE(no_metadata, nic->xdp.has_metadata = false)
CHANGE(old, old_kernel(w))
CHANGE(old_native, old_kernel(w); nic->attached.native = 3)
CHANGE(mtu_limit, nic->mtu = 3498)
CHANGE(jumbo, nic->mtu = 3499)
CHANGE(jumbo_linear, no_frags(w); nic->mtu = 9000)
CHANGE(lro, nic->offload.lro = true)
CHANGE(gro_hw, nic->offload.gro_hw = true)
CHANGE(rx_vlan, nic->offload.rx_vlan = true)
CHANGE(veth_tso, veth(nic); nic->offload.tso = true)
CHANGE(veth_tx, veth(nic); nic->offload.tx_checksum = true)
CHANGE(veth_no_gro, veth(nic))
CHANGE(veth_gro, veth(nic); nic->offload.gro = true)
CHANGE(one_queue, nic->channels.rx = nic->channels.tx = 1)
CHANGE(few_tx, nic->channels.tx = 1)
CHANGE(no_channels, nic->channels.err = -EOPNOTSUPP)
CHANGE(half_rss, w->table[1] = w->table[3] = 0)
CHANGE(no_rss, nic->rss.err = -EOPNOTSUPP; nic->rss.n = 0)
CHANGE(uncovered, w->queues[1].socket = false)
CHANGE(no_sockets, w->queues[0].socket = w->queues[1].socket = false)
CHANGE(steered, uncovered(w); half_rss(w))
CHANGE(no_diag, no_sockets(w); nic->sockets_err = -ENOENT)
CHANGE(small_ring, nic->rings.rx = 256)
CHANGE(full_ring, nic->rings.rx = nic->rings.rx_max = 256)
CHANGE(each_packet, nic->coalesce.rx_usecs = 0)
CHANGE(adaptive, nic->coalesce.rx_usecs = 0; nic->coalesce.adaptive = true)
CHANGE(unnamed, no_napi(w))
CHANGE(unnamed_before, no_napi(w); h->netdev.set = false)
CHANGE(split_napi, w->queues[2].napi = 600)
CHANGE(split_igb, split_napi(w); strcpy(nic->driver, "igb"))
CHANGE(sysfs_defer, old_kernel(w); nic->sysfs.polling.defer_hard_irqs = 9)
CHANGE(half_defer, w->queues[0].polling.gro_flush_ns = 0)
CHANGE(unlike, w->queues[1].polling.defer_hard_irqs = 5)
CHANGE(foreign_sysfs, old_kernel(w); nic->sysfs.visible = false)
CHANGE(no_defer, w->queues[0].polling.defer_hard_irqs = 0;
       w->queues[0].polling.gro_flush_ns = 0)
CHANGE(no_suspend, w->queues[0].polling.suspend_err = -EOPNOTSUPP)
CHANGE(threads, w->queues[0].polling.threaded = 1)
CHANGE(busy_threads, w->queues[0].polling.threaded = 2)
CHANGE(one_cpu, strcpy(w->irqs[1].effective, "0"))
CHANGE(far_cpu, strcpy(w->irqs[1].effective, "8"))
CHANGE(near_cpus, strcpy(nic->sysfs.local_cpus, "8-9,0,1"))
CHANGE(one_queue_cpu, one_cpu(w); nic->queues.n = 1)
CHANGE(link_irq, one_cpu(w); strcpy(w->irqs[1].name, "eth1"))
CHANGE(no_irqs, nic->irqs.n = 0)

struct expected {
	void (*change)(struct world *w);
	const char *name;
	enum sl_severity severity;
	const char *value;  /* in it */
	const char *remedy; /* in it; NULL: not looked at */
};

#define OK SL_SEVERITY_OK
#define NOTE SL_SEVERITY_NOTE
#define WARN SL_SEVERITY_WARN
#define BAD SL_SEVERITY_BAD

static const struct expected hosts[] = {
	{ no_jit, "bpf-jit", BAD, "off", "bpf_jit_enable" },
	{ hidden_jit, "bpf-jit", NOTE, "CAP_BPF", NULL },
	{ no_bpf, "bpf", WARN, "not permitted", "CAP_BPF" },
	{ no_bpf, "trace", NOTE, "may not load", NULL },
	{ no_bpf, "xdp-link", NOTE, "may not load", NULL },
	{ no_btf, "btf", NOTE, "no", "BTF" },
	{ no_freplace, "attach-shared", NOTE, "not permitted", "exclusive" },
	{ no_fentry, "fentry", NOTE, "not permitted", NULL },
	{ no_tp_btf, "trace", NOTE, "no", "BTF" },
	{ no_socket, "af-xdp", WARN, "not permitted", "CAP_NET_RAW" },
	{ no_socket, "ring-remap", NOTE, "AF_XDP", NULL },
	{ no_af_xdp, "af-xdp", WARN, "refused", "CONFIG_XDP_SOCKETS" },
	{ no_sg, "af-xdp-frags", NOTE, "no", "6.6" },
	{ no_busy, "prefer-busy-poll", NOTE, "no", "BUSY_POLL" },
	{ no_busy, "busy-poll", NOTE, "no", "adaptive" },
	{ no_namespace, "xdp-link", NOTE, "CAP_SYS_ADMIN", NULL },
	{ no_namespace, "ring-remap", NOTE, "CAP_SYS_ADMIN", NULL },
	{ no_link, "xdp-link", NOTE, "no", NULL },
	{ no_remap, "ring-remap", NOTE, "busy", "6.4" },
	{ no_family, "netdev-genl", NOTE, "no", "6.3" },
	{ no_queue_get, "netdev-genl", NOTE, "features only", "6.8" },
	{ no_napi_set, "netdev-genl", NOTE, "queues", "6.13" },
	{ no_raw, "capabilities", WARN, "CAP_NET_RAW", "root" },
	{ no_lock, "memlock", WARN, "8192 KiB", "LimitMEMLOCK" },
	{ open_bpf, "unprivileged-bpf", WARN, "open", "sysctl" },
	{ hardened, "jit-harden", WARN, "2", "sysctl" },
	{ hidden_harden, "jit-harden", NOTE, "root", NULL },
	{ retpoline, "spectre-v2", NOTE, "Retpolines", NULL },
	{ no_words, "spectre-v2", NOTE, "cannot be read", NULL },
	{ balanced, "irqbalance", WARN, "77", "banirq" },
	{ hidden_procs, "irqbalance", NOTE, "hides", NULL },
};

static const struct expected xdp[] = {
	{ down, "link", WARN, "down", "ip link set dev eth1 up" },
	{ down, "napi", NOTE, "down", NULL },
	{ down, "busy-poll", NOTE, "down", NULL },
	{ no_carrier, "link", BAD, "without a carrier", "cable" },
	{ nameless, "driver", NOTE, "ethtool", NULL },
	{ generic, "xdp-attached", NOTE, "generic, program id 9", "native" },
	{ unseen_holder, "xdp-attached", OK, "only root", NULL },
	{ no_xdp, "xdp-native", WARN, "no", "mode generic" },
	{ veth_no_xdp, "xdp-native", WARN, "no", "ethtool -L" },
	{ no_frags, "xdp-frags", NOTE, "no", NULL },
	{ no_redirect, "xdp-redirect", NOTE, "no", NULL },
	{ no_target, "xdp-redirect-target", NOTE, "no", "attach one here" },
	{ veth_no_target, "xdp-redirect-target", WARN, "no", "PEER gro on" },
	{ no_zc, "zero-copy", NOTE, "no", NULL },
	{ one_segment, "zero-copy-segments", NOTE, "1", NULL },
	{ no_metadata, "rx-metadata", NOTE, "6.8", NULL },
	{ old, "xdp-native", NOTE, "mode auto", NULL },
	{ old, "zero-copy", NOTE, "cannot be asked", NULL },
	{ old, "napi", NOTE, "6.8", NULL },
	{ old, "busy-poll", NOTE, "sluice-fwd tries", NULL },
	{ old_native, "xdp-native", OK, "is attached", NULL },
	{ mtu_limit, "mtu", OK, "3498", NULL },
	{ jumbo, "mtu", WARN, "3499", "frags on" },
	{ jumbo_linear, "mtu", WARN, "9000", "mode generic" },
	{ lro, "lro", WARN, "lro on", "ethtool -K eth1 lro off" },
	{ gro_hw, "lro", WARN, "rx-gro-hw on", "ethtool -K eth1 rx-gro-hw" },
	{ rx_vlan, "vlan-offload", WARN, "on", "ethtool -K eth1 rxvlan off" },
	{ veth_tso, "veth-offload", WARN, "tso", "tso off" },
	{ veth_tx, "veth-offload", WARN, "tx-checksum", "tx off" },
	{ veth_no_gro, "gro", WARN, "off", "gro on" },
	{ veth_gro, "gro", OK, "on", NULL },
};

static const struct expected queues[] = {
	{ one_queue, "channels", NOTE, "receive 1 of 4", "ethtool -L eth1" },
	{ one_queue, "rss", OK, "one queue", NULL },
	{ few_tx, "channels", WARN, "send 1 of 4", "ethtool -L eth1" },
	{ no_channels, "channels", OK, "receive 2, send 2", NULL },
	{ half_rss, "rss", NOTE, "queues 0 of 2", "ethtool -X eth1 equal 2" },
	{ no_rss, "rss", NOTE, "no indirection table", NULL },
	{ uncovered, "sockets", WARN, "queues 0, zero-copy", "ethtool -X" },
	{ no_sockets, "sockets", OK, "none", NULL },
	{ steered, "sockets", OK, "queues 0, zero-copy", NULL },
	{ no_diag, "sockets", NOTE, "SOCKETS_DIAG", NULL },
	{ small_ring, "rings", NOTE, "256 of 4096", "ethtool -G eth1 rx" },
	{ full_ring, "rings", OK, "256 of 256", NULL },
	{ each_packet, "coalescing", NOTE, "rx-usecs 0", "ethtool -C eth1" },
	{ adaptive, "coalescing", OK, "rx-usecs 0", NULL },
};

static const struct expected polling[] = {
	{ unnamed, "napi", OK, "0 of 2", NULL },
	{ unnamed, "busy-poll", NOTE, "names no NAPI", "adaptive" },
	{ unnamed_before, "busy-poll", NOTE, "sluice-fwd tries", NULL },
	{ split_napi, "busy-poll-send", NOTE, "on 1 of 2", "leave" },
	{ split_igb, "busy-poll-send", NOTE, "on 1 of 2", "ethtool -L" },
	{ sysfs_defer, "deferral", OK, "napi_defer_hard_irqs 9", NULL },
	{ half_defer, "deferral", WARN, "timeout 0", "gro_flush_timeout" },
	{ unlike, "deferral", OK, "others on other queues", NULL },
	{ no_defer, "deferral", NOTE, "hard_irqs 0", "gro_flush_timeout" },
	{ foreign_sysfs, "deferral", NOTE, "ip netns exec", NULL },
	{ foreign_sysfs, "irqs", NOTE, "does not show", NULL },
	{ no_suspend, "irq-suspend", NOTE, "6.13", NULL },
	{ threads, "napi-threaded", NOTE, "on", NULL },
	{ busy_threads, "napi-threaded", NOTE, "busily", NULL },
	{ one_cpu, "irqs", WARN, "all on CPU 0", "smp_affinity_list" },
	{ far_cpu, "irqs", WARN, "1 of 2", "CPUs of 0-3" },
	{ near_cpus, "irqs", OK, "2 on", NULL },
	{ one_queue_cpu, "irqs", OK, "2 on CPU 0", NULL },
	{ link_irq, "irqs", OK, "1 on CPU 0", NULL },
	{ no_irqs, "irqs", OK, "none", NULL },
};

static bool contains(const char *text, const char *part)
{
	return !part || (text && strcasestr(text, part));
}

static void check(const struct expected *e)
{
	struct sl_findings f = { 0 };
	const struct sl_finding *found;
	struct world w;

	good(&w);
	e->change(&w);
	judge(&w, &f);
	found = find(&f, e->name);
	assert_non_null(found);
	if (found->severity != e->severity ||
	    !contains(found->value, e->value) ||
	    !contains(found->remedy, e->remedy))
		fail_msg("%s: %s \"%s\" -> \"%s\"; wanted %s \"%s\" -> \"%s\"",
			 e->name, sl_severity_text(found->severity),
			 found->value, found->remedy,
			 sl_severity_text(e->severity), e->value, e->remedy);
	/* Who is warned is told why, and what to do. */
	for (size_t i = 0; i < f.n_items; i++)
		if (f.items[i].severity >= WARN &&
		    (!f.items[i].consequence || !f.items[i].remedy))
			fail_msg("%s: no consequence or remedy",
				 f.items[i].name);
	/* A key stands for one finding. */
	for (size_t i = 0; i < f.n_items; i++)
		if (find(&f, f.items[i].name) != &f.items[i])
			fail_msg("%s: there twice", f.items[i].name);
	sl_findings_fini(&f);
}

static void of_the_host(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(hosts); i++)
		check(&hosts[i]);
}

static void of_xdp(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(xdp); i++)
		check(&xdp[i]);
}

static void of_queues(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(queues); i++)
		check(&queues[i]);
}

static void of_polling(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(polling); i++)
		check(&polling[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_against_the_good),
		cmocka_unit_test(of_the_host),
		cmocka_unit_test(of_xdp),
		cmocka_unit_test(of_queues),
		cmocka_unit_test(of_polling),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("doctor", tests, NULL, NULL);
}
