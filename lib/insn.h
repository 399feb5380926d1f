/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * BPF instructions as data (Documentation/bpf/standardization/
 * instruction-set.rst): what each is, reads and sets.
 */
#ifndef SLUICE_INSN_H
#define SLUICE_INSN_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stdint.h>

/* Registers that can be set; r10 is the frame pointer. */
#define SL_INSN_REGISTERS 10

/* A set of registers: bit r is register r. */
typedef uint16_t sl_registers;

static inline sl_registers sl_register(unsigned r)
{
	return (sl_registers)(1u << r);
}

static inline bool sl_insn_is_alu64(const struct bpf_insn *insn)
{
	return BPF_CLASS(insn->code) == BPF_ALU64;
}

static inline bool sl_insn_is_alu(const struct bpf_insn *insn)
{
	return BPF_CLASS(insn->code) == BPF_ALU || sl_insn_is_alu64(insn);
}

/* Two slots long: a 64-bit immediate, a map or a function. */
static inline bool sl_insn_is_wide(const struct bpf_insn *insn)
{
	return insn->code == (BPF_LD | BPF_IMM | BPF_DW);
}

static inline bool sl_insn_is_jump(const struct bpf_insn *insn, uint8_t op)
{
	return (BPF_CLASS(insn->code) == BPF_JMP ||
		BPF_CLASS(insn->code) == BPF_JMP32) &&
	       BPF_OP(insn->code) == op;
}

/* A jump with a condition. */
static inline bool sl_insn_is_branch(const struct bpf_insn *insn)
{
	return (BPF_CLASS(insn->code) == BPF_JMP ||
		BPF_CLASS(insn->code) == BPF_JMP32) &&
	       BPF_OP(insn->code) != BPF_JA && BPF_OP(insn->code) != BPF_CALL &&
	       BPF_OP(insn->code) != BPF_EXIT;
}

/* Sets its register and does nothing else. */
static inline bool sl_insn_is_pure(const struct bpf_insn *insn)
{
	return sl_insn_is_alu(insn) || BPF_CLASS(insn->code) == BPF_LDX ||
	       sl_insn_is_wide(insn);
}

/* Names a function by its distance, as a callee or as a callback. */
static inline bool sl_insn_names_function(const struct bpf_insn *insn)
{
	return (sl_insn_is_jump(insn, BPF_CALL) &&
		insn->src_reg == BPF_PSEUDO_CALL) ||
	       (sl_insn_is_wide(insn) && insn->src_reg == BPF_PSEUDO_FUNC);
}

/* Is its distance, as below, in the immediate? A long jump's is (clang 18). */
static inline bool sl_insn_reaches_far(const struct bpf_insn *insn)
{
	return sl_insn_names_function(insn) ||
	       insn->code == (BPF_JMP32 | BPF_JA);
}

/* Names another instruction: where a jump leads, or a function begins. */
static inline bool sl_insn_names_other(const struct bpf_insn *insn)
{
	return sl_insn_names_function(insn) || sl_insn_is_branch(insn) ||
	       sl_insn_is_jump(insn, BPF_JA);
}

/* How far from the one behind instruction `insn` is what it names. */
static inline int32_t sl_insn_distance(const struct bpf_insn *insn)
{
	return sl_insn_reaches_far(insn) ? insn->imm : insn->off;
}

sl_registers sl_insn_reads(const struct bpf_insn *insn);

/* What one that is not pure sets, to whatever. */
sl_registers sl_insn_clobbers(const struct bpf_insn *insn);

#endif /* SLUICE_INSN_H */
