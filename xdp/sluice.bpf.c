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

#include "live.h"
#include "maps.h"
#include "meta.h"
#include "route.h"
#include "search.h"

char LICENSE[] SEC("license") = "GPL";

/* Each is verified once, not for each way that leads here. */
__noinline int sl_forward_packet(struct xdp_md *ctx, __u64 facts, __u32 slot)
{
	return sl_gen.flags & SL_GEN_META &&
	       sl_meta_put(ctx, facts, slot, NULL);
}

__noinline __u32 sl_route_packet(struct xdp_md *ctx, __u64 facts, __u32 slot,
				 __u32 how)
{
	return sl_gen.flags & SL_GEN_FIB ? sl_route(ctx, facts, slot, how) :
					   SL_ROUTE_KERNEL;
}

__noinline int sl_rewrite_packet(struct xdp_md *ctx)
{
	return sl_gen.flags & SL_GEN_FIB ? sl_route_rewrite(ctx) : 0;
}

/* The AF_XDP socket is not there. */
static __always_inline void fall_back(const struct sl_step *rule,
				      struct sl_decision *d)
{
	bool drop = rule->fallback == SL_VERDICT_DROP;

	d->reason = SL_REASON_NO_SOCKET;
	d->verdict = drop ? SL_VERDICT_DROP : SL_VERDICT_PASS;
	d->act = drop ? XDP_DROP : XDP_PASS;
}

static __always_inline void decide_forward(struct xdp_md *ctx,
					   const struct sl_packet *p,
					   const struct sl_step *rule, bool dry,
					   struct sl_decision *d)
{
	d->act = bpf_redirect_map(&xsks_map, ctx->rx_queue_index, XDP_PASS);
	if (d->act != XDP_REDIRECT)
		fall_back(rule, d);
	else if (sl_gen.flags & SL_GEN_META && !dry)
		sl_forward_packet(ctx, sl_facts(p), rule->slot);
}

/* `route` and `redirect fib`. */
static __always_inline void decide_route(struct xdp_md *ctx,
					 const struct sl_packet *p,
					 const struct sl_step *rule, bool dry,
					 struct sl_decision *d)
{
	__u32 how = (dry ? SL_ROUTE_DRY : 0) |
		    (rule->verdict == SL_VERDICT_REDIRECT ? SL_ROUTE_OUT : 0);

	how = sl_route_packet(ctx, sl_facts(p), rule->slot, how);
	if (how == SL_ROUTE_DONE) {
		d->act = XDP_REDIRECT;
	} else if (how == SL_ROUTE_NO_SOCKET) {
		fall_back(rule, d);
	} else {
		d->reason = SL_REASON_TO_KERNEL;
		d->verdict = SL_VERDICT_PASS;
		d->act = XDP_PASS;
	}
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
					const struct sl_packet *p,
					const struct sl_step *rule, bool dry,
					struct sl_decision *d)
{
	d->slot = rule->slot;
	d->verdict = rule->verdict;
	if (rule->verdict == SL_VERDICT_DROP)
		d->act = XDP_DROP;
	else if (rule->verdict == SL_VERDICT_PASS)
		d->act = XDP_PASS;
	else if (sl_gen.flags & SL_GEN_FIB && rule->flags & SL_STEP_FIB)
		decide_route(ctx, p, rule, dry, d);
	else if (sl_gen.flags & SL_GEN_FORWARDS &&
		 rule->verdict == SL_VERDICT_FORWARD)
		decide_forward(ctx, p, rule, dry, d);
	else if (sl_gen.flags & SL_GEN_REDIRECTS &&
		 rule->verdict == SL_VERDICT_REDIRECT)
		decide_redirect(rule, d);
	else if (sl_gen.flags & SL_GEN_BOUNCES)
		d->act = XDP_TX;
	else
		d->act = XDP_DROP; /* cannot be: the flags name the verdicts */
}

_Static_assert(SL_MATCH_DROP == SL_MATCH_PASS + 1 &&
		       SL_VERDICT_DROP == SL_VERDICT_PASS + 1 &&
		       XDP_DROP == XDP_PASS - 1,
	       "settle() computes one from the other");

/* What the answer at the end of the search comes to. */
static __always_inline void
settle(struct xdp_md *ctx, const struct sl_packet *p, const struct sl_tables *t,
       const struct search *s, bool dry, struct sl_decision *d)
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
	if (!step)
		return;
	if (sl_gen.flags & SL_GEN_LIMITS && s->limited) {
		d->slot = step->slot;
		d->reason = SL_REASON_LIMITED;
		d->verdict = SL_VERDICT_DROP;
		d->act = XDP_DROP;
		return;
	}
	decide_step(ctx, p, step, dry, d);
}

/*
 * Behind a call, which only a sample pays, and global, so that it is verified
 * once and not for each way that leads here.
 */
__noinline int sl_log_packet(struct xdp_md *ctx,
			     const struct sl_log_rules *rules,
			     __u32 frame_bytes, const struct sl_decision *d)
{
	struct sl_totals *totals;
	__u32 zero = 0;

	if (!(sl_gen.flags & SL_GEN_LOGS) || !rules || !d)
		return 0;
	if (sl_log_write(ctx, rules, frame_bytes, d, sl_gen.generation))
		return 0;
	totals = bpf_map_lookup_elem(&sl_totals, &zero);
	if (totals)
		count(&totals->log_lost, frame_bytes);
	return 0;
}

__noinline __u32 sl_live_find_checked(__u64 high, __u64 low, __u32 band,
				      __u32 lengths)
{
	struct sl_live_search s = { .view = { .shape = &sl_gen.live },
				    .address = { high, low },
				    .band = band & 7,
				    .lengths = lengths };
	__u32 zero = 0;

	if (!(sl_gen.flags & SL_GEN_LIVE))
		return 0;
	s.view.base = bpf_map_lookup_elem(&sl_live, &zero);
	if (!s.view.base)
		return 0; /* cannot be: the map has one entry */
	/* No bpf_loop(): a third frame would be over the stack's 512 bytes. */
	for (__u32 turn = 0; turn <= SL_LIVE_BAND; turn++)
		if (sl_live_next(&s))
			break;
	return s.mask;
}

/* Which live sets hold the addresses, as far as rules ask. */
static __always_inline void find_live(const struct sl_packet *p,
				      struct search *s)
{
	struct sl_live_view view = { .shape = &sl_gen.live };
	__u32 zero = 0;

	view.base = bpf_map_lookup_elem(&sl_live, &zero);
	if (!view.base)
		return; /* cannot be: the map has one entry */
	if (sl_gen.flags & SL_GEN_LIVE_SRC)
		s->live_src = sl_live_lookup(&view, p, 0);
	if (sl_gen.flags & SL_GEN_LIVE_DST)
		s->live_dst = sl_live_lookup(&view, p, 1);
}

static __always_inline void decide(struct xdp_md *ctx,
				   const struct sl_packet *p, __u32 frame_bytes,
				   bool dry, struct sl_decision *d)
{
	struct search s;
	struct sl_tables t;

	search_begin(&s, frame_bytes, dry);
	d->verdict = sl_gen.default_verdict;
	d->reason = p->anomaly;
	d->slot = SL_SLOT_NONE;
	d->act = d->verdict == SL_VERDICT_DROP ? XDP_DROP : XDP_PASS;
	if (!sl_gen.words || !open_tables(&t))
		return;
	if (sl_gen.flags & SL_GEN_LIVE)
		find_live(p, &s);
	if (!sl_locate(&t, p, s.live_src | s.live_dst, frame_bytes, &s.key))
		return;
	s.answer = lookup(&t, &s.key, 0, 0);
	if (sl_gen.flags & SL_GEN_STEPS) {
		s.family = p->family;
		s.src[0] = p->src[0];
		s.src[1] = p->src[1];
		bpf_loop(sl_gen.n_steps + 1, take_step, &s, 0);
	}
	settle(ctx, p, &t, &s, dry, d);
	if (sl_gen.flags & SL_GEN_LOGS && s.logs.slot[0] != SL_SLOT_NONE)
		sl_log_packet(ctx, &s.logs, frame_bytes, d);
	if (sl_gen.flags & SL_GEN_FIB && d->verdict == SL_VERDICT_REDIRECT)
		sl_rewrite_packet(ctx);
}

/* The probe in front of the packet, if `sluice explain` put it there. */
static __always_inline struct sl_probe *find_probe(struct xdp_md *ctx)
{
	struct sl_probe *probe = (void *)(long)ctx->data_meta;

	if ((void *)(probe + 1) > (void *)(long)ctx->data)
		return NULL;
	return sl_gen.nonce && probe->nonce == sl_gen.nonce ? probe : NULL;
}

/* Looked for anew: what the verifier knew of the packet is gone by now. */
static __always_inline int answer(struct xdp_md *ctx,
				  const struct sl_decision *d)
{
	struct sl_probe *probe = find_probe(ctx);

	if (!probe)
		return XDP_PASS; /* cannot be: it was there */
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

static __always_inline void parse(struct xdp_md *ctx, __u32 frame_bytes,
				  struct sl_packet *p)
{
	struct sl_cursor cursor = {
		.data = (void *)(long)ctx->data,
		.pos = (void *)(long)ctx->data,
		.end = (void *)(long)ctx->data_end,
		.left = frame_bytes,
		.ctx = ctx,
	};

	sl_parse(&cursor, p, sl_gen.want);
	/*
	 * One lookup to verify for all families, not one for each of the
	 * parser's outcomes: less than half the instructions to verify.
	 */
	SL_FORGET(p->family, frame_bytes);
	if (sl_gen.flags & SL_GEN_FORGETS)
		sl_packet_forget(p, frame_bytes);
}

static __always_inline int filter(struct xdp_md *ctx, __u32 frame_bytes)
{
	bool probed = find_probe(ctx);
	struct sl_totals *totals;
	struct sl_decision d;
	struct sl_packet p;
	__u32 zero = 0;

	parse(ctx, frame_bytes, &p);
	decide(ctx, &p, frame_bytes, probed, &d);
	if (probed)
		return answer(ctx, &d);
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

#include "chain.h"
