/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* BPF instructions by name, as the kernel's include/linux/filter.h has them. */
#ifndef SLUICE_TEST_BPF_INSNS_H
#define SLUICE_TEST_BPF_INSNS_H

#include <linux/bpf.h>

#define INSN(c, d, s, o, i)                    \
	((struct bpf_insn){ .code = (__u8)(c), \
			    .dst_reg = (d)&15, \
			    .src_reg = (s)&15, \
			    .off = (__s16)(o), \
			    .imm = (__s32)(i) })

#define ALU64_K(op, d, k) INSN(BPF_ALU64 | BPF_##op | BPF_K, d, 0, 0, k)
#define ALU64_X(op, d, s) INSN(BPF_ALU64 | BPF_##op | BPF_X, d, s, 0, 0)
#define ALU32_K(op, d, k) INSN(BPF_ALU | BPF_##op | BPF_K, d, 0, 0, k)
#define ALU32_X(op, d, s) INSN(BPF_ALU | BPF_##op | BPF_X, d, s, 0, 0)
#define MOV_K(d, k) ALU64_K(MOV, d, k)
#define MOV_X(d, s) ALU64_X(MOV, d, s)
#define JUMP(o) INSN(BPF_JMP | BPF_JA, 0, 0, o, 0)
#define LONG_JUMP(o) INSN(BPF_JMP32 | BPF_JA, 0, 0, 0, o)
#define JUMP_K(op, d, k, o) INSN(BPF_JMP | BPF_##op | BPF_K, d, 0, o, k)
#define JUMP_X(op, d, s, o) INSN(BPF_JMP | BPF_##op | BPF_X, d, s, o, 0)
#define JUMP32_K(op, d, k, o) INSN(BPF_JMP32 | BPF_##op | BPF_K, d, 0, o, k)
#define JUMP32_X(op, d, s, o) INSN(BPF_JMP32 | BPF_##op | BPF_X, d, s, o, 0)
#define LOAD(size, d, s, o) INSN(BPF_LDX | BPF_MEM | BPF_##size, d, s, o, 0)
#define STORE(size, d, s, o) INSN(BPF_STX | BPF_MEM | BPF_##size, d, s, o, 0)
#define STORE_K(size, d, o, k) INSN(BPF_ST | BPF_MEM | BPF_##size, d, 0, o, k)
#define HELPER(id) INSN(BPF_JMP | BPF_CALL, 0, 0, 0, id)
#define CALL(distance) INSN(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, distance)
#define EXIT INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
/* Two slots; what `low` and `high` are is in `kind`. */
#define WIDE(d, kind, low, high) \
	INSN(BPF_LD | BPF_IMM | BPF_DW, d, kind, 0, low), INSN(0, 0, 0, 0, high)

#endif /* SLUICE_TEST_BPF_INSNS_H */
