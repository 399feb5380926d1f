// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "insn.h"

#define R0 0x01
#define R0_TO_R5 0x3f
#define R1_TO_R5 0x3e
#define R6 0x40

/* Linux 6.15; the headers here may be older. */
#define LOAD_ACQUIRE 0x100

static bool is_atomic(const struct bpf_insn *insn)
{
	return BPF_CLASS(insn->code) == BPF_STX &&
	       BPF_MODE(insn->code) == BPF_ATOMIC;
}

static sl_registers operands(const struct bpf_insn *insn)
{
	sl_registers set = 0;

	if (!sl_insn_is_alu(insn) || BPF_OP(insn->code) != BPF_MOV)
		set |= sl_register(insn->dst_reg);
	if (BPF_SRC(insn->code) == BPF_X)
		set |= sl_register(insn->src_reg);
	return set;
}

sl_registers sl_insn_reads(const struct bpf_insn *insn)
{
	if (sl_insn_is_alu(insn) || sl_insn_is_branch(insn))
		return operands(insn);
	if (sl_insn_is_jump(insn, BPF_EXIT))
		return R0;
	if (sl_insn_is_jump(insn, BPF_CALL))
		return R1_TO_R5;
	if (sl_insn_is_wide(insn))
		return 0;
	switch (BPF_CLASS(insn->code)) {
	case BPF_LDX:
		return sl_register(insn->src_reg);
	case BPF_ST:
		return sl_register(insn->dst_reg);
	case BPF_STX:
		return sl_register(insn->dst_reg) | sl_register(insn->src_reg) |
		       (is_atomic(insn) && insn->imm == BPF_CMPXCHG ? R0 : 0);
	case BPF_LD: /* the packet loads of old */
		return sl_register(insn->src_reg) | R6;
	default:
		return 0;
	}
}

sl_registers sl_insn_clobbers(const struct bpf_insn *insn)
{
	if (sl_insn_is_jump(insn, BPF_CALL))
		return R0_TO_R5;
	if (BPF_CLASS(insn->code) == BPF_LD && !sl_insn_is_wide(insn))
		return R0_TO_R5;
	if (is_atomic(insn) && insn->imm == BPF_CMPXCHG)
		return R0;
	if (is_atomic(insn) && insn->imm == LOAD_ACQUIRE)
		return sl_register(insn->dst_reg);
	if (is_atomic(insn) && insn->imm & BPF_FETCH)
		return sl_register(insn->src_reg);
	return 0;
}
