// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "bpf_rules.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <linux/bpf.h>

#include "lib/specialise.h"

#define INSNS_MAX 8192

struct shape {
	const struct sl_code *code;
	bool starts[INSNS_MAX + 1]; /* a function does */
	bool reached[INSNS_MAX];
	size_t left[INSNS_MAX]; /* to walk on from */
	size_t n_left;
	const char *wrong;
};

static bool is_wide(const struct bpf_insn *insn)
{
	return insn->code == (BPF_LD | BPF_IMM | BPF_DW);
}

static bool is_jump_class(const struct bpf_insn *insn)
{
	return BPF_CLASS(insn->code) == BPF_JMP ||
	       BPF_CLASS(insn->code) == BPF_JMP32;
}

static bool is_always(const struct bpf_insn *insn)
{
	return is_jump_class(insn) && BPF_OP(insn->code) == BPF_JA;
}

static size_t target(const struct bpf_insn *insns, size_t at)
{
	const struct bpf_insn *insn = &insns[at];
	int32_t by = insn->code == (BPF_JMP32 | BPF_JA) ? insn->imm : insn->off;

	return at + 1 + (size_t)(int64_t)by;
}

/* Where a call or the address of a function leads to, or 0. */
static size_t names(const struct bpf_insn *insns, size_t at)
{
	const struct bpf_insn *insn = &insns[at];
	bool call = insn->code == (BPF_JMP | BPF_CALL) &&
		    insn->src_reg == BPF_PSEUDO_CALL;
	bool callback = is_wide(insn) && insn->src_reg == BPF_PSEUDO_FUNC;

	return call || callback ? at + 1 + (size_t)(int64_t)insn->imm : 0;
}

static void reach(struct shape *s, size_t at)
{
	if (at >= s->code->n) {
		s->wrong = "leads outside";
		return;
	}
	if (s->reached[at])
		return;
	s->reached[at] = true;
	s->left[s->n_left++] = at;
	if (s->code->insns[at].code == 0)
		s->wrong = "leads into the middle of a wide instruction";
}

static void walk(struct shape *s)
{
	const struct bpf_insn *insns = s->code->insns;

	s->starts[0] = true;
	reach(s, 0);
	while (s->n_left && !s->wrong) {
		size_t at = s->left[--s->n_left];

		if (names(insns, at) && names(insns, at) < s->code->n) {
			s->starts[names(insns, at)] = true;
			reach(s, names(insns, at));
		}
		if (insns[at].code == (BPF_JMP | BPF_EXIT))
			continue;
		if (is_jump_class(&insns[at]) &&
		    BPF_OP(insns[at].code) != BPF_CALL)
			reach(s, target(insns, at));
		if (!is_always(&insns[at]) && !s->wrong)
			reach(s, at + (is_wide(&insns[at]) ? 2 : 1));
	}
}

static void check_functions(struct shape *s)
{
	const struct bpf_insn *insns = s->code->insns;
	size_t start = 0, end = 0;

	for (size_t i = 0; i < s->code->n && !s->wrong; i++) {
		const struct bpf_insn *insn = &insns[i];

		if (s->starts[i])
			for (start = i, end = i + 1;
			     end < s->code->n && !s->starts[end];)
				end++;
		if (insn->code == 0)
			continue;
		if (!s->reached[i])
			s->wrong = "an instruction is unreachable";
		if (is_jump_class(insn) && BPF_OP(insn->code) != BPF_CALL &&
		    BPF_OP(insn->code) != BPF_EXIT &&
		    (target(insns, i) < start || target(insns, i) >= end))
			s->wrong = "a jump out of its function";
		if (end == i + 1 && insn->code != (BPF_JMP | BPF_EXIT) &&
		    !is_always(insn))
			s->wrong = "a function's last is no exit or jump";
	}
}

static uint32_t place_of(const void *records, uint32_t bytes, uint32_t i)
{
	uint32_t at;

	memcpy(&at, (const char *)records + (size_t)i * bytes, sizeof(at));
	return at;
}

static void check_func_info(struct shape *s)
{
	const struct sl_code *code = s->code;
	uint32_t next = 0;

	for (size_t i = 0; i < code->n && !s->wrong; i++) {
		if (!s->starts[i])
			continue;
		if (next == code->n_func_info ||
		    place_of(code->func_info, code->func_info_bytes, next) != i)
			s->wrong = "func_info does not match the functions";
		next++;
	}
	if (!s->wrong && next != code->n_func_info)
		s->wrong = "more func_info than functions";
}

static void check_line_info(struct shape *s)
{
	const struct sl_code *code = s->code;
	size_t functions = 0, described = 0;
	uint32_t at, last = 0;

	for (uint32_t i = 0; i < code->n_line_info && !s->wrong; i++) {
		at = place_of(code->line_info, code->line_info_bytes, i);
		if ((i && at <= last) || at >= code->n)
			s->wrong = "line_info is not in order";
		else if (code->insns[at].code == 0)
			s->wrong = "line_info of no instruction";
		else
			described += s->starts[at];
		last = at;
	}
	for (size_t i = 0; i < code->n; i++)
		functions += s->starts[i];
	if (!s->wrong && described != functions)
		s->wrong = "a function's start has no line_info";
}

const char *rules_broken(const struct sl_code *code)
{
	struct shape *s;
	const char *wrong;

	if (code->n == 0 || code->n > INSNS_MAX)
		return "no program of this size";
	s = calloc(1, sizeof(*s));
	if (!s)
		return "out of memory";
	s->code = code;
	walk(s);
	if (!s->wrong)
		check_functions(s);
	if (!s->wrong)
		check_func_info(s);
	if (!s->wrong)
		check_line_info(s);
	wrong = s->wrong;
	free(s);
	return wrong;
}
