// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * What specialising removes from a program, and that jumps, functions and lines
 * are right after it, by example.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "bpf_example.h"
#include "bpf_rules.h"

/* What is removed is counted out of every jump, forwards and backwards. */
static void test_loop(void **state)
{
	const struct bpf_insn before[] = {
		LOAD(B, 6, 1, 0),
		CONSTANTS(7, 0),
		MOV_K(0, 0),
		MOV_K(8, 3),
		LOAD(W, 3, 7, AT_SHIFT),
		JUMP_K(JEQ, 6, 0, 5),
		WIDE(4, 0, 1, 2),
		ALU64_X(ADD, 0, 3),
		JUMP_K(JEQ, 3, 5, 1),
		ALU64_X(ADD, 0, 4),
		ALU64_K(ADD, 8, -1),
		JUMP_K(JNE, 8, 0, -9),
		EXIT,
	};
	const struct bpf_insn after[] = {
		LOAD(B, 6, 1, 0),      MOV_K(0, 0),
		MOV_K(8, 3),	       JUMP_K(JEQ, 6, 0, 1),
		ALU64_K(ADD, 0, 5),    ALU64_K(ADD, 8, -1),
		JUMP_K(JNE, 8, 0, -4), EXIT,
	};

	(void)state;
	BECOMES(before, after);
}

/* A branch that is always taken becomes a jump; long jumps are counted too. */
static void test_jumps(void **state)
{
	const struct bpf_insn before[] = {
		LOAD(W, 0, 1, 0),
		MOV_K(2, 4),
		JUMP_K(JGT, 0, 9, 3),
		MOV_K(5, 0),		/* nothing reads it */
		JUMP32_K(JEQ, 2, 4, 4), /* taken */
		MOV_K(0, 3),		/* never */
		ALU64_K(ADD, 0, 1),
		MOV_K(5, 0),
		LONG_JUMP(1),
		ALU64_K(ADD, 0, 2),
		EXIT,
	};
	const struct bpf_insn after[] = {
		LOAD(W, 0, 1, 0),
		JUMP_K(JGT, 0, 9, 1),
		JUMP(2),
		ALU64_K(ADD, 0, 1),
		LONG_JUMP(1),
		ALU64_K(ADD, 0, 2),
		EXIT,
	};

	(void)state;
	BECOMES(before, after);
}

/* A jump over nothing but a jump that goes itself, goes. */
static void test_chain(void **state)
{
	const struct bpf_insn before[] = {
		LOAD(W, 0, 1, 0), JUMP_K(JGT, 0, 9, 1), JUMP(1), JUMP(0), EXIT,
	};
	const struct bpf_insn after[] = {
		LOAD(W, 0, 1, 0),
		JUMP_K(JGT, 0, 9, 0),
		EXIT,
	};

	(void)state;
	BECOMES(before, after);
}

/* Calls and reads through atomics keep what they need, and no more. */
static void test_live(void **state)
{
	const struct bpf_insn before[] = {
		MOV_X(6, 1),
		LOAD(W, 0, 6, 0), /* dead: the call sets it */
		HELPER(BPF_FUNC_ktime_get_ns),
		STORE(DW, 6, 0, 24),
		LOAD(W, 7, 6, 0), /* dead: set again */
		LOAD(W, 7, 6, 4),
		LOAD(W, 8, 6, 8), /* dead: nothing reads it */
		ALU64_K(ADD, 8, 1),
		LOAD(W, 0, 6, 12), /* CMPXCHG reads it */
		INSN(BPF_STX | BPF_ATOMIC | BPF_DW, 6, 7, 16, BPF_CMPXCHG),
		MOV_X(9, 0),
		LOAD(W, 7, 6, 4),
		INSN(BPF_STX | BPF_ATOMIC | BPF_DW, 6, 7, 16,
		     BPF_ADD | BPF_FETCH),
		ALU64_X(ADD, 9, 7),
		MOV_X(0, 9),
		MOV_K(7, 1),
		INSN(BPF_STX | BPF_ATOMIC | BPF_DW, 6, 7, 16, BPF_XCHG),
		ALU64_X(ADD, 0, 7), /* not 1 any more */
		EXIT,
	};
	struct bpf_insn after[COUNT(before) - 4];

	(void)state;
	after[0] = before[0];
	after[1] = before[2];
	after[2] = before[3];
	after[3] = before[5];
	memcpy(&after[4], &before[8], sizeof(before) - 8 * sizeof(*before));
	BECOMES(before, after);
}

static const struct bpf_insn functions[] = {
	MOV_X(6, 1),
	CONSTANTS(7, AT_SHIFT),
	LOAD(W, 7, 7, 0),
	JUMP_K(JEQ, 7, 5, 4), /* taken */
	CALL(5),
	MOV_X(1, 6),
	CALL(8),
	MOV_X(1, 6),
	CALL(3),
	EXIT,
	MOV_K(0, 1), /* 11: never called */
	EXIT,
	MOV_K(5, 1), /* 13: nothing reads it */
	LOAD(W, 0, 1, 0),
	EXIT,
	MOV_K(0, 3), /* 16: never called */
	EXIT,
};

/* Functions without a call go, with what describes them. */
static void test_functions(void **state)
{
	static const uint32_t starts[] = { 11, 13, 16, 0 };
	static const uint32_t lines[] = { 9, 10, 14, 15 };
	const struct bpf_insn after[] = { CALL(1), EXIT, LOAD(W, 0, 1, 0),
					  EXIT };
	struct example e;

	(void)state;
	example_becomes(functions, COUNT(functions), starts, after,
			COUNT(after));
	example_init(&e, functions, COUNT(functions), starts);
	example_specialise(&e);
	assert_int_equal(e.code.n_func_info, 2);
	assert_int_equal(e.functions[0].insn_off, 0);
	assert_int_equal(e.functions[0].type_id, 0);
	assert_int_equal(e.functions[1].insn_off, 2);
	assert_int_equal(e.functions[1].type_id, 2);
	assert_int_equal(e.code.n_line_info, COUNT(lines));
	for (uint32_t i = 0; i < COUNT(lines); i++) {
		assert_int_equal(e.lines[i].insn_off, i);
		assert_int_equal(e.lines[i].line_off, lines[i]);
	}
}

/* Records may be longer than the kernel's, and a program may have none. */
static void test_records(void **state)
{
	struct {
		struct bpf_line_info line;
		uint32_t more[3];
	} lines[COUNT(functions)] = { 0 };
	static const uint32_t starts[] = { 11, 13, 16, 0 };
	struct example e;

	(void)state;
	example_init(&e, functions, COUNT(functions), starts);
	for (uint32_t i = 0; i < e.code.n_line_info; i++) {
		lines[i].line = e.lines[i];
		lines[i].more[2] = e.lines[i].insn_off;
	}
	e.code.line_info = lines;
	e.code.line_info_bytes = sizeof(lines[0]);
	example_specialise(&e);
	assert_null(rules_broken(&e.code));
	for (uint32_t i = 0; i < e.code.n_line_info; i++)
		assert_int_equal(lines[i].more[2], lines[i].line.line_off);
	example_init(&e, functions, COUNT(functions), starts);
	e.code.func_info = NULL;
	e.code.line_info = NULL;
	e.code.n_func_info = 0;
	e.code.n_line_info = 0;
	example_specialise(&e);
	assert_int_equal(e.code.n, 4);
}

/* What leads outside is left to the verifier, as it is. */
static void test_broken(void **state)
{
	const struct bpf_insn wide[] = { WIDE(0, 0, 0, 0) };
	const struct bpf_insn broken[][4] = {
		{ MOV_K(0, 0), JUMP_K(JEQ, 0, 0, 3), MOV_K(0, 1), EXIT },
		{ MOV_K(0, 0), JUMP_K(JEQ, 0, 0, -3), MOV_K(0, 1), EXIT },
		{ MOV_K(0, 0), LONG_JUMP(INT32_MAX), MOV_K(0, 1), EXIT },
		{ MOV_K(0, 0), JUMP(INT16_MIN), MOV_K(0, 1), EXIT },
		{ CALL(4), MOV_K(0, 0), MOV_K(0, 1), EXIT },
		{ CALL(-2), MOV_K(0, 0), MOV_K(0, 1), EXIT },
		{ WIDE(1, BPF_PSEUDO_FUNC, INT32_MIN, 0), MOV_K(0, 0), EXIT },
		{ MOV_K(0, 0), MOV_K(0, 1), MOV_K(0, 2), wide[0] },
		{ wide[0], JUMP(1000), MOV_K(0, 1), EXIT },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(broken); i++) {
		/* On the heap, of its size, for the address sanitizer. */
		struct bpf_insn *insns = malloc(sizeof(broken[i]));
		struct example e = { .code = { .insns = insns, .n = 4 } };

		assert_non_null(insns);
		memcpy(insns, broken[i], sizeof(broken[i]));
		example_specialise(&e);
		assert_int_equal(e.code.n, 4);
		assert_memory_equal(insns, broken[i], sizeof(broken[i]));
		free(insns);
	}
}

/* Likewise what describes an instruction that there is not. */
static void test_broken_records(void **state)
{
	const struct bpf_insn insns[] = { MOV_X(6, 1), MOV_K(0, 0), EXIT };
	struct example e;

	(void)state;
	example_init(&e, insns, COUNT(insns), NULL);
	e.lines[2].insn_off = 1 << 20;
	example_specialise(&e);
	assert_int_equal(e.code.n, COUNT(insns));
	assert_memory_equal(e.insns, insns, sizeof(insns));
	example_init(&e, insns, COUNT(insns), NULL);
	e.functions[0].insn_off = COUNT(insns);
	example_specialise(&e);
	assert_int_equal(e.code.n, COUNT(insns));
	assert_memory_equal(e.insns, insns, sizeof(insns));
}

/* A callback whose address is loaded above the branch that skips its use. */
static void test_callback_skipped(void **state)
{
	static const uint32_t starts[] = { 9, 0 };
	const struct bpf_insn before[] = {
		MOV_K(3, 1),
		WIDE(2, BPF_PSEUDO_FUNC, 7, 0),
		JUMP_K(JEQ, 3, 1, 3), /* taken */
		MOV_K(1, 2),
		MOV_K(4, 0),
		HELPER(BPF_FUNC_loop),
		MOV_K(0, 0),
		EXIT,
		MOV_K(0, 0),
		EXIT,
	};
	struct example e;

	(void)state;
	example_init(&e, before, COUNT(before), starts);
	example_specialise(&e);
	assert_null(rules_broken(&e.code));
	example_assert_same(&e, before, COUNT(before));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loop),
		cmocka_unit_test(test_jumps),
		cmocka_unit_test(test_chain),
		cmocka_unit_test(test_live),
		cmocka_unit_test(test_functions),
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_broken_records),
		cmocka_unit_test(test_callback_skipped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
