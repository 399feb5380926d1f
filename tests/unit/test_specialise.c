// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Specialised programs do what they did (bpf_machine.h), and the kernel takes
 * their shape (bpf_rules.h): each rewrite by example.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bpf_example.h"

/* The header's example: a shift, the mask made of it, both applied. */
static void test_immediate(void **state)
{
	const struct bpf_insn before[] = {
		CONSTANTS(2, 0),	LOAD(W, 3, 2, AT_SHIFT),
		LOAD(W, 0, 1, 0),	MOV_K(4, 1),
		ALU64_X(LSH, 4, 3),	ALU64_K(SUB, 4, 1),
		ALU64_X(AND, 0, 4),	ALU64_X(LSH, 0, 3),
		LOAD(W, 5, 2, AT_MASK), ALU32_X(SUB, 0, 5),
		ALU64_X(RSH, 0, 3),	EXIT,
	};
	const struct bpf_insn after[] = {
		LOAD(W, 0, 1, 0),     ALU64_K(AND, 0, 31), ALU64_K(LSH, 0, 5),
		ALU32_K(SUB, 0, 255), ALU64_K(RSH, 0, 5),  EXIT,
	};

	(void)state;
	BECOMES(before, after);
}

/* A shift counts modulo its width, and as an immediate has to be below it. */
static void test_shift_count(void **state)
{
	const struct bpf_insn before[] = {
		LOAD(DW, 0, 1, 0),   MOV_K(2, 69),
		ALU64_X(LSH, 0, 2),  MOV_K(2, 33),
		ALU32_X(RSH, 0, 2),  MOV_K(2, 70),
		ALU64_X(ARSH, 0, 2), EXIT,
	};
	const struct bpf_insn after[] = {
		LOAD(DW, 0, 1, 0), ALU64_K(LSH, 0, 5),	ALU32_K(RSH, 0, 1),
		MOV_K(2, 70),	   ALU64_X(ARSH, 0, 2), EXIT,
	};

	(void)state;
	BECOMES(before, after);
}

static void test_multiplication(void **state)
{
	const struct bpf_insn before[] = {
		LOAD(W, 0, 1, 0),
		CONSTANTS(2, 0),
		LOAD(B, 3, 2, AT_BYTE),
		ALU64_X(MUL, 0, 3),
		ALU32_K(MUL, 0, 8),
		ALU64_K(MUL, 0, 6),
		ALU64_K(MUL, 0, INT32_MIN),
		ALU64_K(MUL, 0, -2),
		EXIT,
	};
	const struct bpf_insn after[] = {
		LOAD(W, 0, 1, 0),
		ALU64_K(LSH, 0, 7),
		ALU32_K(LSH, 0, 3),
		ALU64_K(MUL, 0, 6),
		ALU64_K(MUL, 0, INT32_MIN),
		ALU64_K(MUL, 0, -2),
		EXIT,
	};

	(void)state;
	BECOMES(before, after);
}

static void test_exchange(void **state)
{
	const struct bpf_insn before[] = {
		LOAD(DW, 0, 1, 0),
		LOAD(DW, 2, 1, 8),
		MOV_K(3, 7),
		ALU64_X(ADD, 3, 0),
		MOV_K(4, -3),
		ALU32_X(AND, 4, 2),
		MOV_K(5, 9),
		ALU64_X(SUB, 5, 3),
		STORE(DW, 1, 4, 16),
		MOV_X(0, 5),
		EXIT,
	};
	const struct bpf_insn after[] = {
		LOAD(DW, 0, 1, 0),
		LOAD(DW, 2, 1, 8),
		MOV_X(3, 0),
		ALU64_K(ADD, 3, 7),
		ALU32_X(MOV, 4, 2),
		ALU32_K(AND, 4, -3),
		MOV_K(5, 9),
		ALU64_X(SUB, 5, 3),
		STORE(DW, 1, 4, 16),
		MOV_X(0, 5),
		EXIT,
	};

	(void)state;
	BECOMES(before, after);
}

/* A jump comes between the two: the constant is one of two. */
static void test_exchange_joined(void **state)
{
	const struct bpf_insn before[] = {
		LOAD(W, 2, 1, 0), MOV_K(0, 1),	      JUMP_K(JGT, 2, 9, 1),
		MOV_K(0, 2),	  ALU64_X(ADD, 0, 2), EXIT,
	};

	(void)state;
	BECOMES(before, before);
}

static void test_nothing(void **state)
{
	const struct bpf_insn before[] = {
		LOAD(DW, 0, 1, 0),  ALU64_K(ADD, 0, 0),
		ALU64_K(OR, 0, 0),  ALU64_K(AND, 0, -1),
		ALU64_K(MUL, 0, 1), ALU64_K(LSH, 0, 0),
		ALU32_K(ADD, 0, 0), ALU64_K(XOR, 0, -1),
		ALU64_K(SUB, 0, 0), EXIT,
	};
	const struct bpf_insn after[] = {
		LOAD(DW, 0, 1, 0),
		ALU32_K(ADD, 0, 0),
		ALU64_K(XOR, 0, -1),
		EXIT,
	};

	(void)state;
	BECOMES(before, after);
}

static void test_entry(void **state)
{
	const struct bpf_insn before[] = {
		STORE_K(W, 10, -4, 0),
		MOV_X(2, 10),
		ALU64_K(ADD, 2, -4),
		MAP(1, MACHINE_FD_ARRAY + 1),
		HELPER(BPF_FUNC_map_lookup_elem),
		JUMP_K(JEQ, 0, 0, 1),
		STORE_K(W, 0, 8, 77),
		MOV_K(0, 2),
		EXIT,
	};
	const struct bpf_insn after[] = {
		STORE_K(W, 10, -4, 0),
		WIDE(0, BPF_PSEUDO_MAP_VALUE, MACHINE_FD_ARRAY + 1, 0),
		JUMP_K(JEQ, 0, 0, 1),
		STORE_K(W, 0, 8, 77),
		MOV_K(0, 2),
		EXIT,
	};

	(void)state;
	BECOMES(before, after);
}

/* Another map, or another helper, or one of two maps. */
static void test_no_entry(void **state)
{
	const struct bpf_insn before[] = {
		LOAD(W, 6, 1, 0),
		STORE_K(W, 10, -4, 0),
		MOV_X(2, 10),
		ALU64_K(ADD, 2, -4),
		MAP(1, MACHINE_FD_HASH),
		HELPER(BPF_FUNC_map_lookup_elem),
		MAP(1, MACHINE_FD_ARRAY),
		HELPER(BPF_FUNC_ktime_get_ns),
		MOV_X(2, 10),
		ALU64_K(ADD, 2, -4),
		MAP(1, MACHINE_FD_ARRAY + 1),
		JUMP_K(JGT, 6, 9, 2),
		MAP(1, MACHINE_FD_ARRAY),
		HELPER(BPF_FUNC_map_lookup_elem),
		EXIT,
	};

	(void)state;
	BECOMES(before, before);
}

static void test_decided(void **state)
{
	const struct bpf_insn before[] = {
		CONSTANTS(2, 0),
		LOAD(W, 3, 2, AT_SHIFT),
		LOAD(W, 0, 1, 0),
		JUMP_K(JEQ, 3, 5, 2),
		LOAD(W, 4, 1, 4),
		ALU64_X(ADD, 0, 4),
		JUMP_K(JGT, 3, 5, 1),
		ALU64_K(ADD, 0, 1),
		JUMP_X(JNE, 0, 3, 1),
		ALU64_K(ADD, 0, 2),
		EXIT,
	};
	const struct bpf_insn after[] = {
		LOAD(W, 0, 1, 0),
		ALU64_K(ADD, 0, 1),
		JUMP_K(JNE, 0, 5, 1),
		ALU64_K(ADD, 0, 2),
		EXIT,
	};

	(void)state;
	BECOMES(before, after);
}

/* 64 bits differ where 32 do not. */
static void test_widths(void **state)
{
	const struct bpf_insn before[] = {
		CONSTANTS(2, 0),
		LOAD(DW, 3, 2, AT_BIG),	    /* 1 << 40 */
		LOAD(W, 4, 2, AT_NEGATIVE), /* 0xfffffffe */
		LOAD(DW, 0, 1, 0),
		JUMP_K(JEQ, 3, 0, 1),	/* not */
		ALU64_X(ADD, 0, 3),	/* no immediate */
		JUMP32_K(JEQ, 3, 0, 1), /* taken */
		MOV_K(0, 1),
		JUMP_K(JEQ, 4, -2, 2),	 /* not */
		JUMP32_K(JSLT, 4, 0, 1), /* taken */
		MOV_K(0, 2),
		ALU32_X(XOR, 0, 4),	/* an immediate */
		ALU64_X(XOR, 0, 4),	/* none */
		JUMP32_X(JEQ, 0, 4, 1), /* an immediate */
		JUMP_X(JEQ, 0, 4, 0),	/* none */
		EXIT,
	};
	const struct bpf_insn after[] = {
		CONSTANTS(2, 0),
		LOAD(DW, 3, 2, AT_BIG),
		ALU32_K(MOV, 4, -2), /* clears the upper half */
		LOAD(DW, 0, 1, 0),
		ALU64_X(ADD, 0, 3),
		ALU32_K(XOR, 0, -2),
		ALU64_X(XOR, 0, 4),
		JUMP32_K(JEQ, 0, -2, 1),
		JUMP_X(JEQ, 0, 4, 0),
		EXIT,
	};

	(void)state;
	BECOMES(before, after);
}

/* Nothing is made of what the instruction set of -mcpu=v4 adds. */
static void test_sign_extension(void **state)
{
	const struct bpf_insn before[] = {
		CONSTANTS(2, 0),
		INSN(BPF_LDX | 0x80 | BPF_B, 0, 2, AT_BYTE, 0),
		MOV_K(3, 0x80),
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, 4, 3, 8, 0),
		ALU64_X(ADD, 0, 4),
		INSN(BPF_ALU64 | BPF_END, 0, 0, 0, 32),
		INSN(BPF_ALU | BPF_END | BPF_TO_BE, 3, 0, 0, 16),
		ALU64_X(ADD, 0, 3),
		EXIT,
	};

	(void)state;
	BECOMES(before, before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_immediate),
		cmocka_unit_test(test_shift_count),
		cmocka_unit_test(test_multiplication),
		cmocka_unit_test(test_exchange),
		cmocka_unit_test(test_exchange_joined),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_entry),
		cmocka_unit_test(test_no_entry),
		cmocka_unit_test(test_decided),
		cmocka_unit_test(test_widths),
		cmocka_unit_test(test_sign_extension),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
