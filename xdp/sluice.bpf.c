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
#include "maps.h"

char LICENSE[] SEC("license") = "GPL";

const volatile struct sl_gen sl_gen SEC(".rodata.gen") = {
	.magic = SL_ABI_MAGIC,
	.abi_version = SL_ABI_VERSION,
	.default_verdict = SL_VERDICT_PASS,
};

/* Where a packet goes, and what to count for it. */
struct sl_decision {
	__u32 verdict; /* enum sl_verdict */
	__u32 reason;  /* enum sl_reason */
	__u32 slot;    /* rule slot, or SL_SLOT_NONE */
	int act;       /* enum xdp_action */
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

static __always_inline void count_rule(__u32 slot, __u32 bytes)
{
	struct sl_counter *rule = bpf_map_lookup_elem(&sl_rules, &slot);

	if (rule)
		count(rule, bytes);
}

static __always_inline void count_verdict(struct sl_totals *totals,
					  const struct sl_decision *d,
					  __u32 bytes)
{
	struct sl_counter *by = &totals->reason_rule.pass;
	__u32 cell = d->reason * SL_VERDICT_COUNT + d->verdict;

	if (cell < SL_REASON_COUNT * SL_VERDICT_COUNT)
		count(&by[cell], bytes);
	if (d->slot != SL_SLOT_NONE)
		count_rule(d->slot, bytes);
}

static __always_inline void decide_forward(struct xdp_md *ctx,
					   const struct sl_step *rule,
					   struct sl_decision *d)
{
	int miss = rule->fallback == SL_VERDICT_DROP ? XDP_DROP : XDP_PASS;

	d->act = bpf_redirect_map(&xsks_map, ctx->rx_queue_index, miss);
	if (d->act == XDP_REDIRECT)
		return;
	d->reason = SL_REASON_NO_SOCKET;
	d->verdict = d->act == XDP_DROP ? SL_VERDICT_DROP : SL_VERDICT_PASS;
}

static __always_inline void decide_redirect(const struct sl_step *rule,
					    struct sl_decision *d)
{
	d->act = bpf_redirect_map(&sl_devs, rule->ifindex, XDP_DROP);
	if (d->act == XDP_REDIRECT)
		return;
	d->reason = SL_REASON_NO_DEVICE;
	d->verdict = SL_VERDICT_DROP;
}

/* The verdict of a step. */
static __always_inline void decide_step(struct xdp_md *ctx,
					const struct sl_step *rule,
					struct sl_decision *d)
{
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

static __always_inline bool open_tables(struct sl_tables *t)
{
	__u32 zero = 0;

	t->gen = &sl_gen;
	t->base = bpf_map_lookup_elem(&sl_tables, &zero);
	t->last = sl_gen.table_bytes - SL_TABLE_SLACK;
	return t->base;
}

/*
 * Global, so that the verifier checks its loop once, by itself. The price is a
 * call (10 ns with return thunks), which only a miss in the cache pays.
 */
__noinline __u32 sl_find_answer(__u64 low, __u64 high, __u32 from)
{
	const struct sl_key key = { { low, high } };
	struct sl_tables t;
	__u32 position, answer = SL_MATCH_NONE;

	if (!sl_gen.words || sl_gen.dense || !open_tables(&t))
		return SL_MATCH_NONE;
	position = sl_first_match(&t, &key, from);
	if (position < SL_RULES_MAX)
		sl_table_u32(&t, sl_gen.answers + (__u64)position * 4, &answer);
	return answer;
}

/* This CPU's set of the cache that may hold the key's answer. */
static __always_inline __u64 *cache_set(__u64 set)
{
	__u32 zero = 0, cpu = bpf_get_smp_processor_id();
	__u8 *cache = bpf_map_lookup_elem(&sl_cache, &zero);

	if (!cache || cpu >= sl_gen.cache_cpus)
		return NULL;
	return (void *)(cache + (((__u64)cpu << (sl_gen.cache_bits & 31)) +
				 set) * (SL_CACHE_WAYS * sizeof(__u64)));
}

/* What the rules from `from` on say; `resume` is the number of that start. */
static __always_inline __u32 lookup(const struct sl_tables *t,
				    const struct sl_key *key, __u32 from,
				    __u32 resume)
{
	__u64 number = key->word[0] + resume * sl_gen.keys;
	struct sl_cache_place place;
	__u32 answer = SL_MATCH_NONE;
	__u64 *set;

	if (sl_gen.dense) {
		sl_table_u32(t, sl_gen.dense + number * 4, &answer);
		return answer;
	}
	if (!sl_gen.cache_bits)
		return sl_find_answer(key->word[0], key->word[1], from);
	place = sl_cache_place(&sl_gen, number);
	set = cache_set(place.set);
	if (!set)
		return SL_MATCH_NONE; /* cannot be: the map has every CPU's */
	answer = sl_cache_find(set, place.tag);
	if (answer == SL_CACHE_MISS) {
		answer = sl_find_answer(key->word[0], 0, from) &
			 ((1u << SL_MATCH_BITS) - 1);
		sl_cache_put(set, place.tag, answer);
	}
	return answer;
}

/* A search that passes from rule to rule. */
struct search {
	struct sl_key key;
	__u32 answer;
	__u32 frame_bytes;
	__u32 live_src, live_dst; /* the live sets that hold the addresses */
	__u32 is_ip;
	__u32 limited; /* the answer's rule refused the packet */
	__u32 dry;     /* a probe: nothing is counted */
	__u32 pad;
};

static __always_inline const struct sl_step *step_at(const struct sl_tables *t,
						     __u32 answer)
{
	return (const void *)sl_table_at(
		t, sl_gen.steps +
			   (__u64)SL_MATCH_ID(answer) * sizeof(struct sl_step));
}

static __always_inline bool live_holds(__u32 wanted, __u32 found, bool not )
{
	return !wanted || !(wanted & found) == not ;
}

/* The conditions that are not in the tables. */
static __always_inline bool step_holds(const struct search *s,
				       const struct sl_step *step)
{
	if (sl_gen.flags & SL_GEN_LIVE) {
		if ((step->live_src || step->live_dst) && !s->is_ip)
			return false;
		if (!live_holds(step->live_src, s->live_src,
				step->flags & SL_STEP_NOT_SRC) ||
		    !live_holds(step->live_dst, s->live_dst,
				step->flags & SL_STEP_NOT_DST))
			return false;
	}
	/* To a jiffy, which does: the exact clock costs 30 ns. */
	if (sl_gen.flags & SL_GEN_EXPIRES && step->expires_ns &&
	    bpf_ktime_get_coarse_ns() >= step->expires_ns)
		return false;
	return true;
}

/* Does the search end at this step, whose conditions hold? */
static __always_inline bool step_ends(struct search *s,
				      const struct sl_step *step)
{
	if (step->action == SL_STEP_VERDICT &&
	    !(step->flags & SL_STEP_OBSERVE)) {
		s->answer = SL_MATCH(SL_MATCH_VERDICT, SL_MATCH_ID(s->answer));
		return true;
	}
	if (!s->dry)
		count_rule(step->slot, s->frame_bytes);
	return false;
}

/* One step of the search, for bpf_loop(): 1 ends it. */
static long take_step(__u32 turn __attribute__((unused)), struct search *s)
{
	const struct sl_step *step;
	struct sl_tables t;

	if (SL_MATCH_KIND(s->answer) != SL_MATCH_STEP || !open_tables(&t))
		return 1;
	step = step_at(&t, s->answer);
	if (!step || (step_holds(s, step) && step_ends(s, step)))
		return 1;
	s->answer = lookup(&t, &s->key, step->from, step->resume);
	return 0;
}

_Static_assert(SL_MATCH_DROP == SL_MATCH_PASS + 1 &&
		       SL_VERDICT_DROP == SL_VERDICT_PASS + 1 &&
		       XDP_DROP == XDP_PASS - 1,
	       "settle() computes one from the other");

/* What the answer at the end of the search comes to. */
static __always_inline void settle(struct xdp_md *ctx,
				   const struct sl_tables *t,
				   const struct search *s,
				   struct sl_decision *d)
{
	__u32 kind = SL_MATCH_KIND(s->answer);
	const struct sl_step *step;

	if (kind == SL_MATCH_NONE)
		return;
	d->reason = SL_REASON_RULE;
	if (kind <= SL_MATCH_DROP) {
		/* Arithmetic, because nothing predicts which of the two. */
		d->slot = SL_MATCH_ID(s->answer);
		d->verdict = kind - SL_MATCH_PASS + SL_VERDICT_PASS;
		d->act = XDP_PASS + SL_MATCH_PASS - kind;
		return;
	}
	if (!(sl_gen.flags & SL_GEN_VERDICTS))
		return;
	step = step_at(t, s->answer);
	if (step)
		decide_step(ctx, step, d);
}

static __always_inline void decide(struct xdp_md *ctx,
				   const struct sl_packet *p, __u32 frame_bytes,
				   bool dry, struct sl_decision *d)
{
	struct search s = { .frame_bytes = frame_bytes, .dry = dry };
	struct sl_tables t;

	d->verdict = sl_gen.default_verdict;
	d->reason = p->anomaly;
	d->slot = SL_SLOT_NONE;
	d->act = d->verdict == SL_VERDICT_DROP ? XDP_DROP : XDP_PASS;
	if (!sl_gen.words || !open_tables(&t))
		return;
	if (!sl_locate(&t, p, s.live_src | s.live_dst, &s.key))
		return;
	s.answer = lookup(&t, &s.key, 0, 0);
	if (sl_gen.flags & SL_GEN_STEPS) {
		s.is_ip = p->family != SL_FAMILY_NONE;
		bpf_loop(sl_gen.n_steps + 1, take_step, &s, 0);
	}
	settle(ctx, &t, &s, d);
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

	sl_parse(&cursor, &p, sl_gen.want);
	/*
	 * One lookup to verify for all families, not one for each of the
	 * parser's outcomes: less than half the instructions to verify.
	 */
	SL_FORGET(p.family, frame_bytes);
	decide(ctx, &p, frame_bytes, probe, &d);
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
