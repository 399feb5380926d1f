// SPDX-License-Identifier: GPL-2.0-only
/*
 * The filter. A packet is parsed (packet.h), counted by port, classified
 * (classify.h) and given a verdict, which is counted by rule and by reason.
 *
 * A generation is a program: .rodata.gen holds the constants of one compiled
 * configuration and is frozen before the program loads, so the verifier cuts
 * what the rules do not use. With the constants as they stand in the object
 * (attached by `ip link ... xdp obj`) nothing is left but counting and passing.
 *
 * Two entries, of which one is loaded: "xdp", and "xdp.frags" for packets in
 * several buffers, whose headers must lie in the first.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "classify.h"

char LICENSE[] SEC("license") = "GPL";

const volatile struct sl_gen sl_gen SEC(".rodata.gen") = {
	.magic = SL_ABI_MAGIC,
	.abi_version = SL_ABI_VERSION,
	.default_verdict = SL_VERDICT_PASS,
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sl_totals);
} sl_totals SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SL_PORT_BLOCKS);
	__type(key, __u32);
	__type(value, struct sl_port_block);
} sl_ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SL_SLOTS_MAX);
	__type(key, __u32);
	__type(value, struct sl_counter);
} sl_rules SEC(".maps");

/* The name that libxdp and DPDK's net_af_xdp look for. */
struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, SL_QUEUES_MAX);
	__type(key, __u32);
	__type(value, __u32);
} xsks_map SEC(".maps");

/* One value of exactly the size that the tables need (set before loading). */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, 2 * SL_TABLE_SLACK);
} sl_tables SEC(".maps");

/* A hash, because a plain DEVMAP cannot be shared by the two flavours. */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
	__uint(max_entries, SL_RULES_MAX);
	__type(key, __u32);
	__type(value, struct bpf_devmap_val);
} sl_devs SEC(".maps");

/*
 * The program does not look at these two: user space binds them to it
 * (BPF_PROG_BIND_MAP), so that whoever finds the program finds what it was
 * made from. sl_text is given the size of the text before loading.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SL_SLOTS_MAX);
	__type(key, __u32);
	__type(value, struct sl_rule_name);
} sl_names SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, 8);
} sl_text SEC(".maps");

/* Where a packet goes, and what to count for it. */
struct sl_decision {
	__u32 verdict;	/* enum sl_verdict */
	__u32 reason;	/* enum sl_reason */
	__u32 slot;	/* rule slot, or SL_SLOT_NONE */
	__u32 position; /* rule position, or SL_SLOT_NONE */
	int act;	/* enum xdp_action */
};

static __always_inline void count(struct sl_counter *counter, __u32 bytes)
{
	counter->packets++;
	counter->bytes += bytes;
}

static __always_inline void count_port(const struct sl_packet *p, __u32 bytes)
{
	struct sl_port_block *block;
	__u32 key;

	if (!p->has_ports || p->proto == SL_IP_SCTP)
		return;
	key = (p->proto == SL_IP_UDP ? SL_PORT_UDP : SL_PORT_TCP) << 8 |
	      p->dport >> 8;
	block = bpf_map_lookup_elem(&sl_ports, &key);
	if (block)
		count(&block->port[p->dport & 255], bytes);
}

static __always_inline void count_verdict(struct sl_totals *totals,
					  const struct sl_decision *d,
					  __u32 bytes)
{
	struct sl_counter *by = &totals->reason_rule.pass;
	__u32 cell = d->reason * SL_VERDICT_COUNT + d->verdict;
	struct sl_counter *rule;

	if (cell < SL_REASON_COUNT * SL_VERDICT_COUNT)
		count(&by[cell], bytes);
	if (d->slot == SL_SLOT_NONE)
		return;
	rule = bpf_map_lookup_elem(&sl_rules, &d->slot);
	if (rule)
		count(rule, bytes);
}

static __always_inline void decide_forward(struct xdp_md *ctx,
					   const struct sl_rule_info *rule,
					   struct sl_decision *d)
{
	int miss = rule->fallback == SL_VERDICT_DROP ? XDP_DROP : XDP_PASS;

	d->act = bpf_redirect_map(&xsks_map, ctx->rx_queue_index, miss);
	if (d->act == XDP_REDIRECT)
		return;
	d->reason = SL_REASON_NO_SOCKET;
	d->verdict = d->act == XDP_DROP ? SL_VERDICT_DROP : SL_VERDICT_PASS;
}

static __always_inline void decide_redirect(const struct sl_rule_info *rule,
					    struct sl_decision *d)
{
	d->act = bpf_redirect_map(&sl_devs, rule->ifindex, XDP_DROP);
	if (d->act == XDP_REDIRECT)
		return;
	d->reason = SL_REASON_NO_DEVICE;
	d->verdict = SL_VERDICT_DROP;
}

/* The verdict of the rule at this position. */
static __always_inline void decide_rule(struct xdp_md *ctx,
					const struct sl_rule_info *rule,
					struct sl_decision *d)
{
	d->reason = SL_REASON_RULE;
	d->slot = rule->slot;
	d->verdict = rule->verdict;
	if (rule->verdict == SL_VERDICT_DROP)
		d->act = XDP_DROP;
	else if (rule->verdict == SL_VERDICT_PASS)
		d->act = XDP_PASS;
	else if (sl_gen.flags & SL_GEN_FORWARDS &&
		 rule->verdict == SL_VERDICT_FORWARD)
		decide_forward(ctx, rule, d);
	else if (sl_gen.flags & SL_GEN_REDIRECTS &&
		 rule->verdict == SL_VERDICT_REDIRECT)
		decide_redirect(rule, d);
	else if (sl_gen.flags & SL_GEN_BOUNCES)
		d->act = XDP_TX;
	else
		d->act = XDP_DROP; /* cannot be: the flags name the verdicts */
}

static __always_inline void
decide(struct xdp_md *ctx, const struct sl_packet *p, struct sl_decision *d)
{
	struct sl_tables t = { .gen = &sl_gen };
	const struct sl_rule_info *rule;
	__u32 zero = 0;

	d->verdict = sl_gen.default_verdict;
	d->reason = p->anomaly;
	d->slot = SL_SLOT_NONE;
	d->position = SL_SLOT_NONE;
	d->act = d->verdict == SL_VERDICT_DROP ? XDP_DROP : XDP_PASS;
	if (!sl_gen.words)
		return;
	t.base = bpf_map_lookup_elem(&sl_tables, &zero);
	if (!t.base)
		return;
	t.last = sl_gen.table_bytes - SL_TABLE_SLACK;
	d->position = sl_classify(&t, p);
	if (d->position == SL_SLOT_NONE)
		return;
	rule = (const void *)sl_table_at(
		&t, sl_gen.rules + (__u64)d->position * sizeof(*rule));
	if (rule)
		decide_rule(ctx, rule, d);
}

/* The probe in front of the packet, if `sluice explain` put it there. */
static __always_inline struct sl_probe *find_probe(struct xdp_md *ctx)
{
	struct sl_probe *probe = (void *)(long)ctx->data_meta;

	if ((void *)(probe + 1) > (void *)(long)ctx->data)
		return NULL;
	return sl_gen.nonce && probe->nonce == sl_gen.nonce ? probe : NULL;
}

static __always_inline int answer(struct sl_probe *probe,
				  const struct sl_decision *d)
{
	probe->answered = 1;
	probe->verdict = d->verdict;
	probe->reason = d->reason;
	probe->slot = d->slot;
	probe->position = d->position;
	probe->generation = sl_gen.generation;
	return XDP_PASS;
}

/* A bounced frame goes to who sent it. */
static __always_inline void swap_macs(struct xdp_md *ctx)
{
	__u16 *mac = (void *)(long)ctx->data;

	if ((void *)(mac + 6) > (void *)(long)ctx->data_end)
		return;
	for (int i = 0; i < 3; i++) {
		__u16 word = mac[i];

		mac[i] = mac[i + 3];
		mac[i + 3] = word;
	}
}

__noinline __u64 sl_walk_ext_checked(struct xdp_md *ctx, __u64 walk, __u32 left)
{
	union {
		__u64 word;
		struct sl_walk walk;
	} u = { walk };

	u.walk = sl_walk_ext((void *)(long)ctx->data,
			     (void *)(long)ctx->data_end, u.walk, left);
	return u.word;
}

static __always_inline int filter(struct xdp_md *ctx, __u32 frame_bytes)
{
	struct sl_cursor cursor = {
		.data = (void *)(long)ctx->data,
		.pos = (void *)(long)ctx->data,
		.end = (void *)(long)ctx->data_end,
		.left = frame_bytes,
		.ctx = ctx,
	};
	struct sl_probe *probe = find_probe(ctx);
	struct sl_totals *totals;
	struct sl_decision d;
	struct sl_packet p;
	__u32 zero = 0;

	sl_parse(&cursor, &p);
	/*
	 * One lookup to verify for all families, not one for each of the
	 * parser's outcomes: less than half the instructions to verify.
	 */
	SL_FORGET(p.family, frame_bytes);
	decide(ctx, &p, &d);
	if (probe)
		return answer(probe, &d);
	totals = bpf_map_lookup_elem(&sl_totals, &zero);
	if (!totals)
		return XDP_ABORTED; /* cannot be: the map has one entry */
	count(&totals->rx, frame_bytes);
	count_port(&p, frame_bytes);
	count_verdict(totals, &d, frame_bytes);
	if (sl_gen.flags & SL_GEN_BOUNCES && d.act == XDP_TX)
		swap_macs(ctx);
	return d.act;
}

SEC("xdp")
int sluice_xdp(struct xdp_md *ctx)
{
	return filter(ctx, ctx->data_end - ctx->data);
}

SEC("xdp.frags")
int sluice_frags(struct xdp_md *ctx)
{
	return filter(ctx, bpf_xdp_get_buff_len(ctx));
}
