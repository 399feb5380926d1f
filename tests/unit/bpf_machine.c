// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "bpf_machine.h"

#include <string.h>

#define STEPS_MAX 200000

/* Distant enough that no sum of a program's numbers leads to another's. */
#define CONTEXT 0x100000000000ull
#define CONSTANTS 0x200000000000ull
#define ENTRY 0x300000000000ull
#define STACK 0x400000000000ull /* of the outermost frame, its upper end */
#define STACK_APART 0x10000ull
#define MAP 0x500000000000ull
#define FUNCTION 0x600000000000ull

struct run {
	struct machine *m;
	const struct bpf_insn *insns;
	size_t n;
	int depth;
	bool ended; /* by a tail call */
};

struct frame {
	uint64_t r[11];
	uint16_t set; /* registers that something has set */
};

static void fault(struct run *run, const char *what)
{
	if (!run->m->fault)
		run->m->fault = what;
}

static uint8_t *locate(uint8_t *area, size_t bytes, uint64_t base, uint64_t at,
		       size_t size)
{
	if (at < base || at - base > bytes || bytes - (at - base) < size)
		return NULL;
	return area + (at - base);
}

/* `size` bytes at an address that a program may use, or NULL. */
static uint8_t *memory(struct run *run, uint64_t at, size_t size, bool write)
{
	struct machine *m = run->m;
	uint8_t *found =
		locate(m->context, sizeof(m->context), CONTEXT, at, size);

	if (!found && !write)
		found = locate(m->constants, sizeof(m->constants), CONSTANTS,
			       at, size);
	for (unsigned i = 0; !found && i < MACHINE_ARRAYS; i++)
		found = locate(m->entry[i], MACHINE_ENTRY_BYTES,
			       ENTRY + i * STACK_APART, at, size);
	for (int d = 0; !found && d <= run->depth; d++)
		found = locate(m->stack[d], MACHINE_STACK_BYTES,
			       STACK + (unsigned)d * STACK_APART -
				       MACHINE_STACK_BYTES,
			       at, size);
	if (!found)
		fault(run, write ? "a write to nowhere" : "a read of nowhere");
	return found;
}

static size_t size_of(const struct bpf_insn *insn)
{
	switch (BPF_SIZE(insn->code)) {
	case BPF_DW:
		return 8;
	case BPF_W:
		return 4;
	case BPF_H:
		return 2;
	default:
		return 1;
	}
}

static uint64_t sign_extend(uint64_t value, unsigned bits)
{
	return (uint64_t)((int64_t)(value << (64 - bits)) >> (64 - bits));
}

static uint64_t read_memory(struct run *run, uint64_t at, size_t size)
{
	const uint8_t *from = memory(run, at, size, false);
	uint64_t value = 0;

	if (from)
		memcpy(&value, from, size); /* little-endian, as the host is */
	return value;
}

static void write_memory(struct run *run, uint64_t at, size_t size,
			 uint64_t value)
{
	uint8_t *to = memory(run, at, size, true);

	if (to)
		memcpy(to, &value, size);
}

static uint64_t get(struct run *run, const struct frame *f, unsigned r)
{
	if (r > 10 || !(f->set & 1u << r)) {
		fault(run, "a read of a register that nothing has set");
		return 0;
	}
	return f->r[r];
}

static void put(struct run *run, struct frame *f, unsigned r, uint64_t value)
{
	if (r > 9) {
		fault(run, "a write to the frame pointer");
		return;
	}
	f->r[r] = value;
	f->set |= (uint16_t)(1u << r);
}

/* To big-endian, to little-endian (both 32-bit class), or always swapped. */
static uint64_t swap(const struct bpf_insn *insn, uint64_t value)
{
	bool swaps = BPF_CLASS(insn->code) == BPF_ALU64 ||
		     BPF_SRC(insn->code) == BPF_TO_BE;

	switch (insn->imm) {
	case 16:
		return swaps ? __builtin_bswap16((uint16_t)value) :
			       (uint16_t)value;
	case 32:
		return swaps ? __builtin_bswap32((uint32_t)value) :
			       (uint32_t)value;
	default:
		return swaps ? __builtin_bswap64(value) : value;
	}
}

/* `a` and `b` are of 32 bits, zero-extended, in the 32-bit class. */
static uint64_t calculate(const struct bpf_insn *insn, uint64_t a, uint64_t b,
			  unsigned bits)
{
	uint64_t shift = b & (bits - 1);

	switch (BPF_OP(insn->code)) {
	case BPF_ADD:
		return a + b;
	case BPF_SUB:
		return a - b;
	case BPF_MUL:
		return a * b;
	case BPF_DIV:
		return b ? a / b : 0;
	case BPF_MOD:
		return b ? a % b : a;
	case BPF_OR:
		return a | b;
	case BPF_AND:
		return a & b;
	case BPF_XOR:
		return a ^ b;
	case BPF_LSH:
		return a << shift;
	case BPF_RSH:
		return a >> shift;
	case BPF_ARSH:
		return (uint64_t)((int64_t)sign_extend(a, bits) >> shift);
	case BPF_NEG:
		return 0 - a;
	default: /* BPF_MOV */
		return insn->off ? sign_extend(b, (unsigned)insn->off) : b;
	}
}

static void do_alu(struct run *run, struct frame *f,
		   const struct bpf_insn *insn)
{
	bool wide = BPF_CLASS(insn->code) == BPF_ALU64;
	uint8_t op = BPF_OP(insn->code);
	uint64_t a = 0, b = (uint64_t)(int64_t)insn->imm, value;

	if (op != BPF_MOV)
		a = get(run, f, insn->dst_reg);
	if (op == BPF_END) {
		put(run, f, insn->dst_reg, swap(insn, a));
		return;
	}
	if (BPF_SRC(insn->code) == BPF_X)
		b = get(run, f, insn->src_reg);
	if (!wide) {
		a = (uint32_t)a;
		b = (uint32_t)b;
	}
	value = calculate(insn, a, b, wide ? 64 : 32);
	put(run, f, insn->dst_reg, wide ? value : (uint32_t)value);
}

static bool holds(uint8_t op, uint64_t a, uint64_t b, unsigned bits)
{
	int64_t sa = (int64_t)sign_extend(a, bits);
	int64_t sb = (int64_t)sign_extend(b, bits);

	switch (op) {
	case BPF_JEQ:
		return a == b;
	case BPF_JNE:
		return a != b;
	case BPF_JGT:
		return a > b;
	case BPF_JGE:
		return a >= b;
	case BPF_JLT:
		return a < b;
	case BPF_JLE:
		return a <= b;
	case BPF_JSGT:
		return sa > sb;
	case BPF_JSGE:
		return sa >= sb;
	case BPF_JSLT:
		return sa < sb;
	case BPF_JSLE:
		return sa <= sb;
	default: /* BPF_JSET */
		return a & b;
	}
}

static bool is_taken(struct run *run, const struct frame *f,
		     const struct bpf_insn *insn)
{
	uint64_t a = get(run, f, insn->dst_reg);
	uint64_t b = (uint64_t)(int64_t)insn->imm;

	if (BPF_SRC(insn->code) == BPF_X)
		b = get(run, f, insn->src_reg);
	if (BPF_CLASS(insn->code) == BPF_JMP)
		return holds(BPF_OP(insn->code), a, b, 64);
	return holds(BPF_OP(insn->code), (uint32_t)a, (uint32_t)b, 32);
}

static void do_atomic(struct run *run, struct frame *f,
		      const struct bpf_insn *insn)
{
	uint64_t at = get(run, f, insn->dst_reg) + (uint64_t)(int64_t)insn->off;
	size_t size = size_of(insn);
	uint64_t mask = size == 8 ? UINT64_MAX : UINT32_MAX;
	uint64_t old = read_memory(run, at, size);
	uint64_t b = get(run, f, insn->src_reg) & mask, value = b;

	switch (insn->imm & ~BPF_FETCH) {
	case BPF_ADD:
		value = old + b;
		break;
	case BPF_OR:
		value = old | b;
		break;
	case BPF_CMPXCHG & ~BPF_FETCH:
		value = (get(run, f, BPF_REG_0) & mask) == old ? b : old;
		break;
	default: /* BPF_XCHG */
		break;
	}
	write_memory(run, at, size, value);
	if (insn->imm == BPF_CMPXCHG)
		put(run, f, BPF_REG_0, old);
	else if (insn->imm & BPF_FETCH)
		put(run, f, insn->src_reg, old);
}

static void load_wide(struct run *run, struct frame *f, size_t at)
{
	const struct bpf_insn *insn = &run->insns[at];
	uint64_t high = (uint32_t)insn[1].imm, value = (uint32_t)insn->imm;

	switch (insn->src_reg) {
	case BPF_PSEUDO_MAP_FD:
		value = MAP + value;
		break;
	case BPF_PSEUDO_MAP_VALUE:
		value = high + (insn->imm == MACHINE_FD_CONSTANTS ?
					CONSTANTS :
					ENTRY + (value - MACHINE_FD_ARRAY) *
							STACK_APART);
		break;
	case BPF_PSEUDO_FUNC:
		value = FUNCTION + at + 1 + (uint64_t)(int64_t)insn->imm;
		break;
	default:
		value |= high << 32;
		break;
	}
	put(run, f, insn->dst_reg, value);
}

/* `given`: those of the registers from r1 on that `arg` is for. */
static uint64_t call_function(struct run *run, const uint64_t *arg,
			      uint16_t given, size_t at);

static uint64_t call_loop(struct run *run, const struct frame *f)
{
	uint64_t turns = get(run, f, BPF_REG_1), i;

	for (i = 0; i < turns && !run->m->fault && !run->ended; i++) {
		uint64_t arg[2] = { i, get(run, f, BPF_REG_3) };

		if (call_function(run, arg, 0x06,
				  get(run, f, BPF_REG_2) - FUNCTION) != 0)
			return i + 1;
	}
	return i;
}

static void record(struct run *run, const struct frame *f, int32_t helper,
		   unsigned n_args)
{
	struct machine_call call = { .helper = helper };

	for (unsigned i = 0; i < n_args; i++) {
		call.arg[i] = get(run, f, 1 + i);
		if (call.arg[i] >= FUNCTION && call.arg[i] - FUNCTION <= run->n)
			call.arg[i] = 0;
	}
	if (run->m->n_calls == MACHINE_CALLS)
		fault(run, MACHINE_TOO_LONG);
	else
		run->m->calls[run->m->n_calls++] = call;
}

/* An array has its entry; in the hash one half of the keys is found. */
static uint64_t look_up(struct run *run, const struct frame *f)
{
	uint64_t map = get(run, f, BPF_REG_1) - MAP;
	uint32_t key = (uint32_t)read_memory(run, get(run, f, BPF_REG_2), 4);

	if (map == MACHINE_FD_HASH) {
		record(run, f, BPF_FUNC_map_lookup_elem, 2);
		return key & 1 ? ENTRY : 0;
	}
	if (map - MACHINE_FD_ARRAY >= MACHINE_ARRAYS)
		fault(run, "a lookup in no map");
	return key ? 0 : ENTRY + (map - MACHINE_FD_ARRAY) * STACK_APART;
}

/* Helpers for which nothing is written here count their calls. */
static uint64_t call_helper(struct run *run, const struct frame *f,
			    int32_t helper)
{
	switch (helper) {
	case BPF_FUNC_map_lookup_elem:
		return look_up(run, f);
	case BPF_FUNC_loop:
		record(run, f, helper, 3);
		return call_loop(run, f);
	case BPF_FUNC_tail_call:
		record(run, f, helper, 3);
		run->ended = get(run, f, BPF_REG_3) & 1;
		return UINT64_MAX;
	case BPF_FUNC_csum_diff: /* for one with all arguments */
		record(run, f, helper, 5);
		return f->r[1] * 3 ^ f->r[2] ^ f->r[5] >> 7;
	default:
		record(run, f, helper, 0);
		return run->m->n_calls * 0x9e3779b97f4a7c15ull;
	}
}

static void do_call(struct run *run, struct frame *f, size_t at)
{
	const struct bpf_insn *insn = &run->insns[at];
	uint64_t value;

	if (insn->src_reg == BPF_PSEUDO_CALL)
		value = call_function(run, &f->r[1], f->set & 0x3e,
				      at + 1 + (size_t)(int64_t)insn->imm);
	else
		value = call_helper(run, f, insn->imm);
	f->set &= (uint16_t)~0x3f;
	put(run, f, BPF_REG_0, value);
}

static void do_memory(struct run *run, struct frame *f,
		      const struct bpf_insn *insn)
{
	uint64_t offset = (uint64_t)(int64_t)insn->off, value;
	size_t size = size_of(insn);

	switch (BPF_CLASS(insn->code)) {
	case BPF_LDX:
		value = read_memory(run, get(run, f, insn->src_reg) + offset,
				    size);
		if (BPF_MODE(insn->code) != BPF_MEM) /* BPF_MEMSX */
			value = sign_extend(value, 8 * (unsigned)size);
		put(run, f, insn->dst_reg, value);
		return;
	case BPF_ST:
		value = (uint64_t)(int64_t)insn->imm;
		break;
	default:
		if (BPF_MODE(insn->code) == BPF_ATOMIC) {
			do_atomic(run, f, insn);
			return;
		}
		value = get(run, f, insn->src_reg);
		break;
	}
	write_memory(run, get(run, f, insn->dst_reg) + offset, size, value);
}

/* Does one instruction; where the next one is. */
static size_t step(struct run *run, struct frame *f, size_t at)
{
	const struct bpf_insn *insn = &run->insns[at];

	switch (BPF_CLASS(insn->code)) {
	case BPF_ALU:
	case BPF_ALU64:
		do_alu(run, f, insn);
		return at + 1;
	case BPF_LD:
		if (insn->code != (BPF_LD | BPF_IMM | BPF_DW))
			fault(run, "the middle of a wide instruction");
		else
			load_wide(run, f, at);
		return at + 2;
	case BPF_JMP:
	case BPF_JMP32:
		if (insn->code == (BPF_JMP32 | BPF_JA))
			return at + 1 + (size_t)(int64_t)insn->imm;
		if (BPF_OP(insn->code) == BPF_CALL)
			do_call(run, f, at);
		else if (BPF_OP(insn->code) == BPF_JA || is_taken(run, f, insn))
			return at + 1 + (size_t)(int64_t)insn->off;
		return at + 1;
	default:
		do_memory(run, f, insn);
		return at + 1;
	}
}

static uint64_t call_function(struct run *run, const uint64_t *arg,
			      uint16_t given, size_t at)
{
	struct frame f = { .set = (uint16_t)(0x400 | given) };

	if (run->depth + 1 == MACHINE_FRAMES) {
		fault(run, "too many frames");
		return 0;
	}
	run->depth++;
	f.r[10] = STACK + (unsigned)run->depth * STACK_APART;
	for (unsigned i = 1; i <= 5; i++)
		if (f.set & 1u << i)
			f.r[i] = arg[i - 1];
	while (!run->m->fault && !run->ended) {
		if (at >= run->n || ++run->m->steps > STEPS_MAX) {
			fault(run,
			      at >= run->n ? "past the end" : MACHINE_TOO_LONG);
			break;
		}
		if (run->insns[at].code == (BPF_JMP | BPF_EXIT)) {
			f.r[0] = get(run, &f, BPF_REG_0);
			break;
		}
		at = step(run, &f, at);
	}
	run->depth--;
	return f.r[0];
}

void machine_run(struct machine *m, const struct bpf_insn *insns, size_t n)
{
	struct run run = { .m = m, .insns = insns, .n = n, .depth = -1 };
	uint64_t context = CONTEXT;

	m->r0 = call_function(&run, &context, 1 << BPF_REG_1, 0);
	if (run.ended)
		m->r0 = 0; /* the other program's to set */
}
