/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The filter with extensions: the end of sluice.bpf.c, apart.
 *
 *   sluice_ext: rx, ports -> before 0..15 -> classify -> after 0..15 -> end
 *
 * Each arrow is a tail call through sl_ext (sluice/ext.h says what is where).
 * Control does not come back from one, so a packet is counted as an extension's
 * before the first and counted anew at the end. What comes after an extension
 * parses again: it may have changed the packet. A tail call that fails (there is
 * no extension on that side) falls through to the ordinary path.
 *
 * The programs are only loaded with extensions ("?"), and have sections that
 * neither libbpf nor iproute2 takes for an entry: lib/generation.c sets their
 * type.
 */
#ifndef SLUICE_XDP_CHAIN_H
#define SLUICE_XDP_CHAIN_H

#include "counting.h"
#include "maps.h"

static __always_inline struct sl_ext_state *chain_state(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&sl_ext_state, &zero);
}

static __always_inline struct sl_totals *chain_totals(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&sl_totals, &zero);
}

static __always_inline void chain_enter(struct xdp_md *ctx, __u32 frame_bytes)
{
	struct sl_ext_state *state = chain_state();
	struct sl_totals *totals = chain_totals();
	struct sl_packet p;

	if (!state || !totals)
		return; /* cannot be: the maps have one entry */
	parse(ctx, frame_bytes, &p);
	count(&totals->rx, frame_bytes);
	count_port(&p, frame_bytes);
	count(&totals->reason_extension.extension, frame_bytes);
	*state = (struct sl_ext_state){
		.bytes = frame_bytes,
		.verdict = SL_VERDICT_EXTENSION,
		.reason = SL_REASON_EXTENSION,
		.slot = SL_SLOT_NONE,
		.act = XDP_ABORTED,
	};
	bpf_tail_call(ctx, &sl_ext, SL_EXT_BEFORE);
}

/* Not cut by sl_gen: the decision may be an older generation's. */
static __always_inline int chain_end(struct xdp_md *ctx)
{
	struct sl_ext_state *state = chain_state();
	struct sl_totals *totals = chain_totals();
	struct sl_counter *lent;
	struct sl_decision d;

	if (!state || !totals)
		return XDP_ABORTED; /* cannot be: the maps have one entry */
	d.verdict = state->verdict;
	d.reason = state->reason;
	d.slot = state->slot;
	d.act = state->act;
	lent = &totals->reason_extension.extension;
	lent->packets--;
	lent->bytes -= state->bytes;
	count_verdict(totals, &d, state->bytes);
	if (d.act == XDP_TX)
		swap_macs(ctx);
	return d.act;
}

static __always_inline int chain_classify(struct xdp_md *ctx, __u32 frame_bytes)
{
	bool probed = find_probe(ctx);
	struct sl_ext_state *state;
	struct sl_decision d;
	struct sl_packet p;

	parse(ctx, frame_bytes, &p);
	decide(ctx, &p, frame_bytes, probed, &d);
	if (probed)
		return answer(ctx, &d);
	state = chain_state();
	if (!state)
		return XDP_ABORTED; /* cannot be: the map has one entry */
	state->generation = sl_gen.generation;
	state->verdict = d.verdict;
	state->reason = d.reason;
	state->slot = d.slot;
	state->act = d.act;
	bpf_tail_call(ctx, &sl_ext, SL_EXT_AFTER);
	return chain_end(ctx);
}

/* A probe asks for the rules: no extension sees it. */
SEC("?xdp.ext")
int sluice_ext(struct xdp_md *ctx)
{
	if (!find_probe(ctx))
		chain_enter(ctx, ctx->data_end - ctx->data);
	return chain_classify(ctx, ctx->data_end - ctx->data);
}

SEC("?xdp.frags.ext")
int sluice_ext_frag(struct xdp_md *ctx)
{
	if (!find_probe(ctx))
		chain_enter(ctx, bpf_xdp_get_buff_len(ctx));
	return chain_classify(ctx, bpf_xdp_get_buff_len(ctx));
}

SEC("?xdp.classify")
int sluice_classify(struct xdp_md *ctx)
{
	return chain_classify(ctx, ctx->data_end - ctx->data);
}

SEC("?xdp.frags.classify")
int sluice_classify_frag(struct xdp_md *ctx)
{
	return chain_classify(ctx, bpf_xdp_get_buff_len(ctx));
}

SEC("?xdp.end")
int sluice_end(struct xdp_md *ctx)
{
	return chain_end(ctx);
}

#endif /* SLUICE_XDP_CHAIN_H */
