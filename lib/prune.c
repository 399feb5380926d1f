// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The kernel would cut dead branches itself, but not what computes their
 * conditions; and a dead instruction that stays as a no-op costs the verifier
 * more than it did alive, as every jump is a place where states are compared.
 */
#include "flow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "specialise.h"

/* (A function that is named stays, so what names it must.) */
static bool is_dead(const struct sl_code *code, const struct sl_flow *flow,
		    size_t i)
{
	return sl_insn_is_pure(&code->insns[i]) &&
	       !sl_insn_names_function(&code->insns[i]) &&
	       !(flow[i].live & sl_register(code->insns[i].dst_reg));
}

/* A branch with this outcome. Known, it becomes a jump, or nothing. */
static bool comes_to(const struct sl_code *code, const struct sl_flow *flow,
		     size_t i, int outcome)
{
	return sl_insn_is_branch(&code->insns[i]) && flow[i].outcome == outcome;
}

static bool is_decided(const struct sl_code *code, const struct sl_flow *flow,
		       size_t i)
{
	return comes_to(code, flow, i, 0) || comes_to(code, flow, i, 1);
}

static sl_registers live_before(const struct sl_code *code,
				const struct sl_flow *flow, size_t i)
{
	const struct bpf_insn *insn = &code->insns[i];
	sl_registers live = flow[i].live;

	if (is_dead(code, flow, i) || is_decided(code, flow, i))
		return live;
	if (sl_insn_is_pure(insn))
		live &= (sl_registers)~sl_register(insn->dst_reg);
	live &= (sl_registers)~sl_insn_clobbers(insn);
	return live | sl_insn_reads(insn);
}

/* Backwards until nothing changes: few rounds, as there are few loops. */
static void find_live(const struct sl_code *code, struct sl_flow *flow)
{
	bool changed = true;
	size_t to[2];

	while (changed) {
		changed = false;
		for (size_t i = code->n; i-- > 0;) {
			sl_registers live = 0;
			int n;

			if (!flow[i].seen)
				continue;
			n = sl_flow_successors(code, flow, i, to);
			for (int k = 0; k < n; k++)
				if (to[k] < code->n)
					live |= live_before(code, flow, to[k]);
			changed |= live != flow[i].live;
			flow[i].live = live;
		}
	}
}

/* moved[i]: the new place of instruction i or, if it goes, of the next one. */
static void place(const struct sl_code *code, const bool *stays, size_t *moved)
{
	size_t to = 0;

	for (size_t i = 0; i < code->n; i++) {
		moved[i] = to;
		to += stays[i];
	}
	moved[code->n] = to;
}

static void mark(const struct sl_code *code, const struct sl_flow *flow,
		 bool *stays)
{
	for (size_t i = 0; i < code->n; i++) {
		stays[i] = flow[i].seen && !is_dead(code, flow, i) &&
			   !comes_to(code, flow, i, 0);
		if (!sl_insn_is_wide(&code->insns[i]))
			continue;
		stays[i + 1] = stays[i];
		i++;
	}
}

/* Jumps over nothing but what goes, from the end: one may make way for another. */
static void unmark_short_jumps(const struct sl_code *code,
			       const struct sl_flow *flow, bool *stays)
{
	for (size_t i = code->n; i-- > 0;) {
		const struct bpf_insn *insn = &code->insns[i];
		size_t next = i + 1, target;

		if (!stays[i] || !(sl_insn_is_jump(insn, BPF_JA) ||
				   comes_to(code, flow, i, 1)))
			continue;
		target = sl_flow_target(code, i);
		while (next < target && !stays[next])
			next++;
		stays[i] = next != target;
	}
}

/* What names another instruction by its distance is corrected. */
static void redirect(const struct sl_code *code, const struct sl_flow *flow,
		     size_t i, const size_t *moved)
{
	struct bpf_insn *insn = &code->insns[i];
	int32_t distance;

	if (!sl_insn_names_other(insn))
		return;
	distance = (int32_t)(moved[sl_flow_target(code, i)] - moved[i] - 1);
	if (comes_to(code, flow, i, 1))
		*insn = (struct bpf_insn){ .code = BPF_JMP | BPF_JA };
	if (sl_insn_reaches_far(insn))
		insn->imm = distance;
	else
		insn->off = (int16_t)distance;
}

/*
 * Records of BTF begin with the instruction that they are of. A function that
 * goes whole has the place of the next one, whose record comes later and so
 * replaces its own; likewise for lines.
 */
static uint32_t move_records(void *records, uint32_t n, uint32_t bytes,
			     const size_t *moved, size_t end)
{
	char *record = records;
	uint32_t kept = 0, last = UINT32_MAX;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t at;

		memcpy(&at, record + (size_t)i * bytes, sizeof(at));
		at = (uint32_t)moved[at];
		if (at >= end)
			break;
		kept += at != last;
		last = at;
		memmove(record + (size_t)(kept - 1) * bytes,
			record + (size_t)i * bytes, bytes);
		memcpy(record + (size_t)(kept - 1) * bytes, &at, sizeof(at));
	}
	return kept;
}

static void compact(struct sl_code *code, const struct sl_flow *flow,
		    const bool *stays, const size_t *moved)
{
	size_t end = moved[code->n];

	for (size_t i = 0; i < code->n; i++)
		if (stays[i])
			redirect(code, flow, i, moved);
	for (size_t i = 0; i < code->n; i++)
		if (stays[i])
			code->insns[moved[i]] = code->insns[i];
	code->n_func_info = move_records(code->func_info, code->n_func_info,
					 code->func_info_bytes, moved, end);
	code->n_line_info = move_records(code->line_info, code->n_line_info,
					 code->line_info_bytes, moved, end);
	code->n = end;
}

static bool are_closed(const void *records, uint32_t n, uint32_t bytes,
		       size_t end)
{
	const char *record = records;
	uint32_t at;

	for (uint32_t i = 0; i < n; i++) {
		memcpy(&at, record + (size_t)i * bytes, sizeof(at));
		if (at >= end)
			return false;
	}
	return true;
}

bool sl_flow_is_closed(const struct sl_code *code)
{
	for (size_t i = 0; i < code->n; i++) {
		const struct bpf_insn *insn = &code->insns[i];

		/* (Before the first is behind the last, unsigned.) */
		if (sl_insn_names_other(insn) &&
		    sl_flow_target(code, i) > code->n)
			return false;
		if (sl_insn_is_wide(insn) && i + 1 == code->n)
			return false;
	}
	return are_closed(code->func_info, code->n_func_info,
			  code->func_info_bytes, code->n) &&
	       are_closed(code->line_info, code->n_line_info,
			  code->line_info_bytes, code->n);
}

int sl_flow_prune(struct sl_code *code, struct sl_flow *flow)
{
	bool *stays = calloc(code->n + 1, sizeof(*stays));
	size_t *moved = calloc(code->n + 1, sizeof(*moved));
	int err = -ENOMEM;

	if (stays && moved) {
		find_live(code, flow);
		mark(code, flow, stays);
		unmark_short_jumps(code, flow, stays);
		place(code, stays, moved);
		compact(code, flow, stays, moved);
		err = 0;
	}
	free(stays);
	free(moved);
	return err;
}
