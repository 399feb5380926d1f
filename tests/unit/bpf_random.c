// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "bpf_random.h"

#include <string.h>

#include "bpf_insns.h"
#include "random_numbers.h"

#define R(r) ((uint16_t)(1u << (r)))
#define R1_TO_R5 0x3e
/* r6 keeps the context in every function. */
#define R6_R10 (R(6) | R(10))
#define DEPTH_MAX 3
#define KEY (-136) /* where on the stack a key is; below it nothing is used */
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define ONE_OF(a) ((a)[random_below(COUNT(a))])

struct writer {
	struct random_program *p;
	uint16_t set;  /* registers that every path here has set */
	uint16_t held; /* registers that may not be set */
	unsigned function, depth;
	bool callback[RANDOM_FUNCTIONS]; /* or called */
};

static void statements(struct writer *w, unsigned n);

static const uint8_t alu_ops[] = { BPF_ADD, BPF_SUB, BPF_MUL,  BPF_DIV,
				   BPF_OR,  BPF_AND, BPF_LSH,  BPF_RSH,
				   BPF_NEG, BPF_MOD, BPF_XOR,  BPF_MOV,
				   BPF_ADD, BPF_MUL, BPF_ARSH, BPF_END };
static const uint8_t conditions[] = { BPF_JEQ, BPF_JGT,	 BPF_JGE,  BPF_JSET,
				      BPF_JNE, BPF_JSGT, BPF_JSGE, BPF_JLT,
				      BPF_JLE, BPF_JSLT, BPF_JSLE };
static const uint8_t sizes[] = { BPF_B, BPF_H, BPF_W, BPF_DW };

static int32_t number(void)
{
	static const int32_t some[] = { 0,  0,	1,   -1,	2,
					4,  8,	64,  255,	65535,
					31, 63, -16, INT32_MAX, INT32_MIN };

	return one_in(4) ? (int32_t)random_below(UINT32_MAX) : ONE_OF(some);
}

static size_t put(struct writer *w, struct bpf_insn insn)
{
	struct random_program *p = w->p;

	if (one_in(2) && p->lines[p->n_lines - 1].insn_off != p->n)
		p->lines[p->n_lines++] =
			(struct bpf_line_info){ .insn_off = (uint32_t)p->n };
	p->insns[p->n++] = insn;
	return p->n - 1;
}

static void put_wide(struct writer *w, unsigned r, unsigned kind, int32_t low,
		     int32_t high)
{
	const struct bpf_insn insns[] = { WIDE(r, kind, low, high) };

	put(w, insns[0]);
	w->p->insns[w->p->n++] = insns[1];
	w->set |= R(r);
}

/* A register that may be set; it is from here on. */
static unsigned any_register(struct writer *w)
{
	unsigned r;

	do
		r = random_below(10);
	while ((w->held | R6_R10) & R(r));
	return r;
}

static unsigned set_register(struct writer *w)
{
	unsigned r;

	if (!(w->set & (uint16_t)~R6_R10)) {
		put(w, MOV_K(0, number()));
		w->set |= R(0);
	}
	do
		r = random_below(10);
	while (!(w->set & (uint16_t)~R6_R10 & R(r)));
	return r;
}

static void put_alu(struct writer *w, uint8_t op, unsigned dst)
{
	static const uint8_t widths[] = { 16, 32, 64 };
	uint8_t class = one_in(2) ? BPF_ALU : BPF_ALU64;
	struct bpf_insn insn = INSN(class | op | BPF_K, dst, 0, 0, number());

	if (op == BPF_END) {
		insn.imm = ONE_OF(widths);
		if (class == BPF_ALU && one_in(2))
			insn.code |= BPF_TO_BE;
	} else if (op == BPF_NEG) {
		insn.imm = 0;
	} else if (one_in(2)) {
		insn.code |= BPF_X;
		insn.imm = 0;
		insn.src_reg = set_register(w) & 15;
		if (op == BPF_MOV && one_in(4))
			insn.off = one_in(2) ? 8 : 16; /* sign-extends */
	} else if (op == BPF_LSH || op == BPF_RSH || op == BPF_ARSH) {
		insn.imm &= class == BPF_ALU ? 31 : 63;
	} else if ((op == BPF_DIV || op == BPF_MOD) && insn.imm == 0) {
		insn.imm = 3;
	}
	put(w, insn);
	w->set |= R(dst);
}

static void alu(struct writer *w)
{
	uint8_t op = ONE_OF(alu_ops);
	unsigned dst = set_register(w);

	if (op == BPF_MOV || w->held & R(dst))
		put_alu(w, BPF_MOV, any_register(w));
	else
		put_alu(w, op, dst);
}

static void move(struct writer *w)
{
	unsigned dst = any_register(w);

	if (one_in(4))
		put_wide(w, dst, 0, number(), number());
	else
		put(w, MOV_K(dst, number()));
	w->set |= R(dst);
}

static size_t branch(struct writer *w)
{
	uint8_t class = one_in(2) ? BPF_JMP : BPF_JMP32;
	unsigned dst = set_register(w);
	struct bpf_insn insn =
		INSN(class | ONE_OF(conditions), dst, 0, 0, number());

	if (one_in(2))
		insn = INSN(insn.code | BPF_X, dst, set_register(w), 0, 0);
	return put(w, insn);
}

static size_t jump(struct writer *w)
{
	return put(w, one_in(4) ? LONG_JUMP(0) : JUMP(0));
}

/* The jump at `at` leads here. */
static void land(struct writer *w, size_t at)
{
	struct bpf_insn *insn = &w->p->insns[at];

	if (insn->code == (BPF_JMP32 | BPF_JA))
		insn->imm = (int32_t)(w->p->n - at - 1);
	else
		insn->off = (int16_t)(w->p->n - at - 1);
}

/* a = K; a += b, with a jump between them or not */
static void exchange(struct writer *w)
{
	static const uint8_t ops[] = { BPF_ADD, BPF_MUL, BPF_OR,
				       BPF_AND, BPF_XOR, BPF_SUB };
	uint8_t class = one_in(2) ? BPF_ALU : BPF_ALU64;
	unsigned b = set_register(w), a = any_register(w);
	size_t skip = 0;

	if (one_in(4)) {
		put(w, MOV_K(a, number()));
		w->set |= R(a);
		skip = branch(w);
	}
	put(w, MOV_K(a, number()));
	if (skip)
		land(w, skip);
	put(w, INSN(class | ONE_OF(ops) | BPF_X, a, b, 0, 0));
	w->set |= R(a);
}

/* Of any size, extended by its sign (BPF_MEMSX) or not. */
static struct bpf_insn load(unsigned dst, unsigned from, int16_t at)
{
	uint8_t size = ONE_OF(sizes);
	uint8_t mode = one_in(4) && size != BPF_DW ? 0x80 : BPF_MEM;

	return INSN(BPF_LDX | mode | size, dst, from, at, 0);
}

static void constant(struct writer *w)
{
	unsigned at = 8 * random_below(4), r = any_register(w);
	unsigned dst = one_in(2) ? r : any_register(w);
	size_t skip = 0;

	put_wide(w, r, BPF_PSEUDO_MAP_VALUE, MACHINE_FD_CONSTANTS, (int)at);
	if (one_in(4)) {
		skip = branch(w);
		put_wide(w, r, BPF_PSEUDO_MAP_VALUE, MACHINE_FD_CONSTANTS, 8);
		land(w, skip);
	}
	if (one_in(2))
		put(w, ALU64_K(ADD, r, 8));
	if (one_in(4))
		put(w, ALU64_K(SUB, r, 8));
	put(w, load(dst, r, (int16_t)(8 + random_below(5))));
	w->set |= R(dst);
}

static void memory(struct writer *w)
{
	bool stack = one_in(2);
	unsigned base = stack ? 10 : 6, dst;
	int16_t at = (int16_t)(8 * (int)random_below(8) - (stack ? 64 : 0));
	uint8_t size = ONE_OF(sizes);

	switch (random_below(4)) {
	case 0:
		put(w, INSN(BPF_ST | BPF_MEM | size, base, 0, at, number()));
		break;
	case 1:
		put(w, INSN(BPF_STX | BPF_MEM | size, base, set_register(w), at,
			    0));
		break;
	default:
		dst = any_register(w);
		put(w, load(dst, base, at));
		w->set |= R(dst);
	}
}

static void atomic(struct writer *w)
{
	static const int32_t ops[] = { BPF_ADD, BPF_OR, BPF_ADD | BPF_FETCH,
				       BPF_XCHG, BPF_CMPXCHG };
	unsigned src = set_register(w);
	int32_t op = ONE_OF(ops);

	if (w->held & R(src))
		op = BPF_ADD;
	if (op == BPF_CMPXCHG && !(w->set & R(0)))
		put(w, MOV_K(0, number()));
	if (op == BPF_CMPXCHG)
		w->set |= R(0);
	put(w, INSN(BPF_STX | BPF_ATOMIC | (one_in(2) ? BPF_W : BPF_DW),
		    one_in(2) ? 10 : 6, src, 0, op));
	if (w->p->insns[w->p->n - 1].dst_reg == 10)
		w->p->insns[w->p->n - 1].off = -8;
}

static void called(struct writer *w)
{
	w->set = (uint16_t)((w->set & ~R1_TO_R5) | R(0));
}

static void helper(struct writer *w)
{
	if (one_in(2)) {
		put(w, HELPER(BPF_FUNC_ktime_get_ns));
	} else if (one_in(4)) {
		put(w, MOV_X(1, 6));
		put_wide(w, 2, BPF_PSEUDO_MAP_FD, MACHINE_FD_PROGRAMS, 0);
		put(w, MOV_X(3, set_register(w)));
		put(w, HELPER(BPF_FUNC_tail_call));
	} else {
		for (unsigned r = 1; r <= 5; r++) {
			put(w, MOV_X(r, set_register(w)));
			w->set |= R(r);
		}
		put(w, HELPER(BPF_FUNC_csum_diff));
	}
	called(w);
}

/* One of two maps, by a jump to the call, or with something between, or not. */
static void look_up(struct writer *w)
{
	int32_t map = MACHINE_FD_ARRAY + (int32_t)random_below(3);
	int32_t key = map == MACHINE_FD_HASH ? number() : 0;
	unsigned dst = any_register(w);
	size_t skip = 0;

	put(w, STORE_K(W, 10, KEY, key));
	put(w, MOV_X(2, 10));
	put(w, ALU64_K(ADD, 2, KEY));
	if (one_in(4)) {
		put_wide(w, 1, BPF_PSEUDO_MAP_FD, MACHINE_FD_HASH, 0);
		skip = branch(w);
	}
	put_wide(w, 1, BPF_PSEUDO_MAP_FD, map, 0);
	if (one_in(4))
		put(w, MOV_X(3, 10));
	if (skip)
		land(w, skip);
	put(w, HELPER(BPF_FUNC_map_lookup_elem));
	called(w);
	skip = put(w, JUMP_K(JEQ, 0, 0, 0));
	put(w, INSN(BPF_LDX | BPF_MEM | ONE_OF(sizes), dst ? dst : 1, 0, 8, 0));
	put(w, INSN(BPF_STX | BPF_MEM | ONE_OF(sizes), 0, 0, 16, 0));
	land(w, skip);
}

/* Its distance is not known yet: link() writes it. */
static void call(struct writer *w, unsigned function)
{
	if (w->callback[function]) {
		put(w, MOV_K(1, random_below(4)));
		put_wide(w, 2, BPF_PSEUDO_FUNC, (int32_t)function, 0);
		put(w, MOV_X(3, 6));
		put(w, MOV_K(4, 0));
		put(w, HELPER(BPF_FUNC_loop));
	} else {
		put(w, MOV_X(2, set_register(w)));
		put(w, MOV_X(1, 6));
		put(w, CALL((int32_t)function));
	}
	called(w);
}

static void call_any(struct writer *w)
{
	unsigned below = RANDOM_FUNCTIONS - 1 - w->function;

	if (below)
		call(w, w->function + 1 + random_below(below));
}

static void either(struct writer *w)
{
	size_t other = branch(w), end;
	uint16_t before = w->set, then;

	statements(w, random_below(3));
	then = w->set;
	if (one_in(2)) {
		land(w, other);
		w->set &= before;
		return;
	}
	end = jump(w);
	land(w, other);
	w->set = before;
	statements(w, random_below(3));
	land(w, end);
	w->set &= then;
}

/* Several branches to one place. */
static void block(struct writer *w)
{
	size_t leaves[3];
	uint16_t set = UINT16_MAX;

	for (unsigned i = 0; i < COUNT(leaves); i++) {
		leaves[i] = branch(w);
		set &= w->set;
		statements(w, random_below(2));
	}
	for (unsigned i = 0; i < COUNT(leaves); i++)
		land(w, leaves[i]);
	w->set &= set;
}

static void leave(struct writer *w)
{
	size_t stay = branch(w);

	put(w, MOV_K(0, random_below(2)));
	put(w, EXIT);
	land(w, stay);
}

static void loop(struct writer *w)
{
	unsigned count = 7 + random_below(3);
	uint16_t before;
	size_t top;

	if (w->held & R(count))
		return;
	put(w, MOV_K(count, 1 + random_below(3)));
	w->set |= R(count);
	w->held |= R(count);
	w->set &= (uint16_t)~R1_TO_R5; /* a call in the loop unsets them */
	before = w->set;
	top = w->p->n;
	statements(w, 1 + random_below(4));
	put(w, ALU64_K(ADD, count, -1));
	put(w, JUMP_K(JNE, count, 0, (int)top - (int)w->p->n - 1));
	w->held &= (uint16_t)~R(count);
	w->set &= before;
}

static void statement(struct writer *w)
{
	static void (*const simple[])(struct writer *) = {
		alu,	alu,	alu,	  move,	    move,   constant,
		memory, memory, constant, exchange, atomic, constant,
	};
	static void (*const others[])(struct writer *) = {
		helper, look_up, call_any, either, either, block, leave, loop,
	};

	if (w->depth == DEPTH_MAX || one_in(2)) {
		ONE_OF(simple)(w);
		return;
	}
	w->depth++;
	ONE_OF(others)(w);
	w->depth--;
}

static void statements(struct writer *w, unsigned n)
{
	while (n--)
		statement(w);
}

static void function(struct writer *w)
{
	struct random_program *p = w->p;
	bool callback = w->callback[w->function];

	p->functions[p->n_functions++] =
		(struct bpf_func_info){ .insn_off = (uint32_t)p->n,
					.type_id = w->function };
	p->lines[p->n_lines++] =
		(struct bpf_line_info){ .insn_off = (uint32_t)p->n };
	w->set = 0;
	if (w->function)
		w->set = callback ? R(1) : R(2);
	put(w, MOV_X(6, callback ? 2 : 1));
	statements(w, 2 + random_below(8));
	if (!w->function) /* the kernel wants each to have a caller */
		for (unsigned f = 1; f < RANDOM_FUNCTIONS; f++) {
			size_t skip = branch(w);
			uint16_t before = w->set;

			call(w, f);
			land(w, skip);
			w->set &= before;
		}
	put(w, MOV_X(0, set_register(w)));
	if (callback)
		put(w, ALU64_K(AND, 0, 1));
	put(w, EXIT);
}

static void link(struct random_program *p)
{
	for (size_t i = 0; i < p->n; i++) {
		struct bpf_insn *insn = &p->insns[i];
		bool named = insn->code == (BPF_JMP | BPF_CALL) &&
			     insn->src_reg == BPF_PSEUDO_CALL;

		named |= insn->code == (BPF_LD | BPF_IMM | BPF_DW) &&
			 insn->src_reg == BPF_PSEUDO_FUNC;
		if (named)
			insn->imm = (int32_t)(p->functions[insn->imm].insn_off -
					      i - 1);
	}
}

void random_program_make(struct random_program *p, uint64_t seed)
{
	struct writer w = { .p = p };

	memset(p, 0, sizeof(*p));
	random_state = seed;
	for (size_t i = 0; i < MACHINE_CONSTANT_BYTES; i += 8) {
		int64_t value = number();

		if (one_in(4))
			value = (int64_t)((uint64_t)value << random_below(40));
		memcpy(p->constants + i, &value, 8);
	}
	for (unsigned f = 1; f < RANDOM_FUNCTIONS; f++)
		w.callback[f] = one_in(3);
	for (; w.function < RANDOM_FUNCTIONS; w.function++)
		function(&w);
	link(p);
}
