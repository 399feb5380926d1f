/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For your own BPF programs in the filter's chain (`sluice ext load`, statement
 * `extension`). One object holds one program, section "xdp" (or "xdp.frags" where
 * the interface says `frags on`):
 *
 *	#include <linux/bpf.h>
 *	#include <bpf/bpf_helpers.h>
 *	#include <sluice/extension.h>
 *
 *	SEC("xdp")
 *	int my_extension(struct xdp_md *ctx)
 *	{
 *		return is_bad(ctx) ? XDP_DROP : sluice_next(ctx);
 *	}
 *
 * It ends a packet's way by returning an XDP action, counted as reason
 * "extension", or hands it on. config/ext/ has a whole one. The packet may be
 * changed; it is parsed anew. bpf_tail_call() is the last thing a program does on
 * a packet, so what must be done comes before sluice_next().
 */
#ifndef SLUICE_EXTENSION_H
#define SLUICE_EXTENSION_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "sluice/abi.h"

/* Both are the filter's own: `sluice` puts them in place of these. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, SL_EXT_ENTRIES);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} sl_ext SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sl_ext_state);
} sl_ext_state SEC(".maps");

/* The entry that the program is loaded into; `sluice` sets it. */
const volatile __u32 sluice_slot SEC(".rodata.slot") = 0;

/*
 * What the rules say of the packet: in an `after` slot its verdict, reason, rule
 * slot, generation and action; before, generation is 0. Read only. NULL cannot
 * be, but the verifier wants it asked.
 */
static __always_inline const struct sl_ext_state *sluice_state(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&sl_ext_state, &zero);
}

/*
 * Hands the packet to the next extension, the rules, or what the rules decided.
 * It does not return, unless `sluice` takes the whole chain away at this moment:
 * then with the action to return.
 */
static __always_inline int sluice_next(struct xdp_md *ctx)
{
	const struct sl_ext_state *state;

	bpf_tail_call(ctx, &sl_ext, sluice_slot + 1);
	state = sluice_state();
	return state ? state->act : XDP_ABORTED;
}

#endif /* SLUICE_EXTENSION_H */
