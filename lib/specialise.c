// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Conditional constant propagation (Wegman, Zadeck, "Constant Propagation with
 * Conditional Branches", 1991) over registers; the stack is not followed.
 */
#include "specialise.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "flow.h"

struct pass {
	struct sl_code *code;
	const struct sl_constants *constants;
	struct sl_flow *flow;
	size_t *queue; /* instructions whose state changed, each at most once */
	size_t queued;
};

static const struct sl_flow_value varies = { .kind = SL_FLOW_VARIES };

static struct sl_flow_value constant(uint64_t number)
{
	return (struct sl_flow_value){ .kind = SL_FLOW_CONSTANT,
				       .number = number };
}

static struct sl_flow_value value_of(const struct sl_flow *flow, unsigned r)
{
	return r < SL_INSN_REGISTERS ? flow->reg[r] : varies;
}

/* The operand on the right, as a 64-bit operation reads it. */
static struct sl_flow_value right_operand(const struct sl_flow *flow,
					  const struct bpf_insn *insn)
{
	if (BPF_SRC(insn->code) == BPF_X)
		return value_of(flow, insn->src_reg);
	return constant((uint64_t)(int64_t)insn->imm);
}

/* Division and sign extension are left to the kernel. */
static bool is_known_operation(const struct bpf_insn *insn)
{
	return BPF_OP(insn->code) != BPF_DIV && BPF_OP(insn->code) != BPF_MOD &&
	       BPF_OP(insn->code) != BPF_END &&
	       BPF_OP(insn->code) != BPF_ARSH && insn->off == 0;
}

static uint64_t compute(uint8_t op, uint64_t a, uint64_t b, unsigned bits)
{
	switch (op) {
	case BPF_ADD:
		return a + b;
	case BPF_SUB:
		return a - b;
	case BPF_MUL:
		return a * b;
	case BPF_OR:
		return a | b;
	case BPF_AND:
		return a & b;
	case BPF_XOR:
		return a ^ b;
	case BPF_LSH:
		return a << (b & (bits - 1));
	case BPF_RSH:
		return a >> (b & (bits - 1));
	case BPF_NEG:
		return 0 - a;
	default: /* BPF_MOV */
		return b;
	}
}

static struct sl_flow_value operate(const struct sl_flow *flow,
				    const struct bpf_insn *insn)
{
	struct sl_flow_value a = value_of(flow, insn->dst_reg);
	struct sl_flow_value b = right_operand(flow, insn);
	uint8_t op = BPF_OP(insn->code);
	bool wide = sl_insn_is_alu64(insn);
	bool unary = op == BPF_MOV || op == BPF_NEG;

	if (!is_known_operation(insn))
		return varies;
	if (wide && op == BPF_MOV)
		return b;
	if (wide && a.kind == SL_FLOW_POINTER && b.kind == SL_FLOW_CONSTANT &&
	    (op == BPF_ADD || op == BPF_SUB)) {
		a.number = compute(op, a.number, b.number, 64);
		return a;
	}
	/* Whatever the other is: */
	if (b.kind == SL_FLOW_CONSTANT && b.number == 0 &&
	    (op == BPF_AND || op == BPF_MUL))
		return b;
	if ((a.kind != SL_FLOW_CONSTANT && !unary) ||
	    (a.kind != SL_FLOW_CONSTANT && op == BPF_NEG) ||
	    b.kind != SL_FLOW_CONSTANT)
		return varies;
	if (wide)
		return constant(compute(op, a.number, b.number, 64));
	return constant((uint32_t)compute(op, (uint32_t)a.number,
					  (uint32_t)b.number, 32));
}

static struct sl_flow_value load(const struct pass *p,
				 const struct bpf_insn *insn,
				 struct sl_flow_value from)
{
	uint64_t at = from.number + (uint64_t)(int64_t)insn->off;
	const char *data = p->constants->data;
	uint8_t size = BPF_SIZE(insn->code);
	size_t bytes = size == BPF_DW ? 8 :
		       size == BPF_W  ? 4 :
		       size == BPF_H  ? 2 :
					1;
	uint64_t dw = 0;
	uint32_t w = 0;
	uint16_t h = 0;

	if (BPF_MODE(insn->code) != BPF_MEM || from.kind != SL_FLOW_POINTER ||
	    at > p->constants->bytes || p->constants->bytes - at < bytes)
		return varies;
	if (bytes == 1)
		return constant((uint8_t)data[at]);
	memcpy(bytes == 8 ? (void *)&dw :
	       bytes == 4 ? (void *)&w :
			    (void *)&h,
	       data + at, bytes);
	return constant(dw | w | h);
}

static struct sl_flow_value load_immediate(const struct pass *p,
					   const struct bpf_insn *insn)
{
	if (insn->src_reg == 0)
		return constant((uint64_t)(uint32_t)insn[1].imm << 32 |
				(uint32_t)insn->imm);
	if (insn->src_reg == BPF_PSEUDO_MAP_VALUE &&
	    insn->imm == p->constants->fd)
		return (struct sl_flow_value){
			.kind = SL_FLOW_POINTER,
			.number = (uint32_t)insn[1].imm,
		};
	return varies;
}

/* What a pure instruction sets its register to. */
static struct sl_flow_value result(const struct pass *p, size_t i)
{
	const struct bpf_insn *insn = &p->code->insns[i];
	const struct sl_flow *flow = &p->flow[i];

	if (sl_insn_is_alu(insn))
		return operate(flow, insn);
	if (sl_insn_is_wide(insn))
		return load_immediate(p, insn);
	return load(p, insn, value_of(flow, insn->src_reg));
}

static bool compare(uint8_t op, uint64_t x, uint64_t y, int64_t sx, int64_t sy)
{
	switch (op) {
	case BPF_JEQ:
		return x == y;
	case BPF_JNE:
		return x != y;
	case BPF_JGT:
		return x > y;
	case BPF_JGE:
		return x >= y;
	case BPF_JLT:
		return x < y;
	case BPF_JLE:
		return x <= y;
	case BPF_JSGT:
		return sx > sy;
	case BPF_JSGE:
		return sx >= sy;
	case BPF_JSLT:
		return sx < sy;
	case BPF_JSLE:
		return sx <= sy;
	default: /* BPF_JSET */
		return (x & y) != 0;
	}
}

static int8_t outcome(const struct sl_flow *flow, const struct bpf_insn *insn)
{
	struct sl_flow_value a = value_of(flow, insn->dst_reg);
	struct sl_flow_value b = right_operand(flow, insn);
	uint8_t op = BPF_OP(insn->code);

	/* (What comes after is may_goto, which has no condition of its own.) */
	if (op > BPF_JSLE || a.kind != SL_FLOW_CONSTANT ||
	    b.kind != SL_FLOW_CONSTANT)
		return -1;
	if (BPF_CLASS(insn->code) == BPF_JMP32)
		return compare(op, (uint32_t)a.number, (uint32_t)b.number,
			       (int32_t)a.number, (int32_t)b.number);
	return compare(op, a.number, b.number, (int64_t)a.number,
		       (int64_t)b.number);
}

size_t sl_flow_target(const struct sl_code *code, size_t i)
{
	return (size_t)((int64_t)i + 1 + sl_insn_distance(&code->insns[i]));
}

int sl_flow_successors(const struct sl_code *code, const struct sl_flow *flow,
		       size_t i, size_t to[2])
{
	const struct bpf_insn *insn = &code->insns[i];
	size_t next = i + (sl_insn_is_wide(insn) ? 2 : 1);

	if (sl_insn_is_jump(insn, BPF_EXIT))
		return 0;
	to[0] = next;
	if (sl_insn_is_jump(insn, BPF_JA)) {
		to[0] = sl_flow_target(code, i);
	} else if (sl_insn_is_branch(insn)) {
		to[1] = sl_flow_target(code, i);
		if (flow[i].outcome > 0)
			to[0] = to[1];
		return flow[i].outcome < 0 ? 2 : 1;
	}
	return 1;
}

static bool merge_value(struct sl_flow_value *into, struct sl_flow_value v)
{
	if (into->kind == SL_FLOW_VARIES ||
	    (into->kind == v.kind && into->number == v.number))
		return false;
	*into = into->kind == SL_FLOW_UNSEEN ? v : varies;
	return true;
}

/* A path leads to instruction `i` with these values. */
static void arrive(struct pass *p, size_t i, const struct sl_flow_value *reg)
{
	struct sl_flow *flow;
	bool changed;

	if (i >= p->code->n)
		return; /* the verifier will say so */
	flow = &p->flow[i];
	changed = !flow->seen;
	flow->seen = true;
	for (int r = 0; r < SL_INSN_REGISTERS; r++)
		changed |= merge_value(&flow->reg[r], reg[r]);
	if (changed && !flow->queued) {
		flow->queued = true;
		p->queue[p->queued++] = i;
	}
}

/* A function begins here: nothing is known of its arguments. */
static void enter(struct pass *p, size_t i)
{
	struct sl_flow_value reg[SL_INSN_REGISTERS];

	for (int r = 0; r < SL_INSN_REGISTERS; r++)
		reg[r] = varies;
	arrive(p, i, reg);
	if (i < p->code->n)
		p->flow[i].joined = true;
}

static void visit(struct pass *p, size_t i)
{
	const struct bpf_insn *insn = &p->code->insns[i];
	struct sl_flow_value reg[SL_INSN_REGISTERS];
	sl_registers lost = sl_insn_clobbers(insn);
	size_t to[2];
	int n;

	memcpy(reg, p->flow[i].reg, sizeof(reg));
	if (sl_insn_is_pure(insn) && insn->dst_reg < SL_INSN_REGISTERS)
		reg[insn->dst_reg] = result(p, i);
	for (unsigned r = 0; r < SL_INSN_REGISTERS; r++)
		if (lost & sl_register(r))
			reg[r] = varies;
	if (sl_insn_is_branch(insn))
		p->flow[i].outcome = outcome(&p->flow[i], insn);
	if (sl_insn_names_function(insn))
		enter(p, sl_flow_target(p->code, i));
	n = sl_flow_successors(p->code, p->flow, i, to);
	for (int k = 0; k < n; k++) {
		arrive(p, to[k], reg);
		if (to[k] != i + (sl_insn_is_wide(insn) ? 2 : 1) &&
		    to[k] < p->code->n)
			p->flow[to[k]].joined = true;
	}
}

static void propagate(struct pass *p)
{
	enter(p, 0);
	while (p->queued) {
		size_t i = p->queue[--p->queued];

		p->flow[i].queued = false;
		visit(p, i);
	}
}

/* Does an immediate, which is extended by its sign, hold the number? */
static bool fits(uint64_t number)
{
	return (int64_t)number == (int32_t)number;
}

/* Is there a move that sets a register to the number? */
static bool is_immediate(uint64_t number)
{
	return fits(number) || number <= UINT32_MAX;
}

/* A 32-bit move clears the upper half. */
static uint8_t move_code(uint64_t number)
{
	return (fits(number) ? BPF_ALU64 : BPF_ALU) | BPF_MOV | BPF_K;
}

/* A constant on the right becomes an immediate. */
static void take_immediate(const struct sl_flow *flow, struct bpf_insn *insn)
{
	bool wide = sl_insn_is_alu64(insn) || BPF_CLASS(insn->code) == BPF_JMP;
	struct sl_flow_value right = right_operand(flow, insn);

	if (BPF_SRC(insn->code) != BPF_X || right.kind != SL_FLOW_CONSTANT ||
	    (wide && !fits(right.number)) ||
	    (sl_insn_is_alu(insn) && !is_known_operation(insn)))
		return;
	if (sl_insn_is_alu(insn) &&
	    (BPF_OP(insn->code) == BPF_LSH || BPF_OP(insn->code) == BPF_RSH))
		right.number &= wide ? 63 : 31;
	insn->code &= (uint8_t)~BPF_X;
	insn->imm = (int32_t)(uint32_t)right.number;
	insn->src_reg = 0;
}

static bool commutes(const struct bpf_insn *insn)
{
	switch (BPF_OP(insn->code)) {
	case BPF_ADD:
	case BPF_MUL:
	case BPF_OR:
	case BPF_AND:
	case BPF_XOR:
		return sl_insn_is_alu(insn) && BPF_SRC(insn->code) == BPF_X;
	default:
		return false;
	}
}

/* a = K; a += b  ->  a = b; a += K */
static void exchange(const struct sl_flow *flow, struct bpf_insn *insn)
{
	struct bpf_insn *above = insn - 1;

	if (!commutes(insn) || flow->joined || insn->dst_reg == insn->src_reg ||
	    above->code != (BPF_ALU64 | BPF_MOV | BPF_K) ||
	    above->dst_reg != insn->dst_reg)
		return;
	above->code = (uint8_t)(BPF_CLASS(insn->code) | BPF_MOV | BPF_X);
	above->src_reg = insn->src_reg;
	insn->imm = above->imm;
	above->imm = 0;
	insn->code &= (uint8_t)~BPF_X;
	insn->src_reg = 0;
}

/* A shift takes one cycle, a multiplication three. */
static void take_shift(struct bpf_insn *insn)
{
	uint32_t factor = (uint32_t)insn->imm;

	if (BPF_OP(insn->code) != BPF_MUL || BPF_SRC(insn->code) != BPF_K ||
	    insn->imm <= 0 || factor & (factor - 1))
		return;
	insn->code = (uint8_t)(BPF_CLASS(insn->code) | BPF_LSH | BPF_K);
	insn->imm = __builtin_ctz(factor);
}

/* x + 0 and the like; in 64 bits, as 32 would clear the upper half. */
static bool changes_nothing(const struct bpf_insn *insn)
{
	if (!sl_insn_is_alu64(insn) || BPF_SRC(insn->code) != BPF_K)
		return false;
	switch (BPF_OP(insn->code)) {
	case BPF_ADD:
	case BPF_SUB:
	case BPF_OR:
	case BPF_XOR:
	case BPF_LSH:
	case BPF_RSH:
		return insn->imm == 0;
	case BPF_MUL:
		return insn->imm == 1;
	case BPF_AND:
		return insn->imm == -1;
	default:
		return false;
	}
}

static bool is_array(const struct sl_constants *constants, int fd)
{
	for (size_t i = 0; i < constants->n_arrays; i++)
		if (constants->arrays[i] == fd)
			return true;
	return false;
}

/* The lookup of an array's only entry becomes the entry's address. */
static void take_entry(const struct pass *p, size_t i)
{
	struct bpf_insn *call = &p->code->insns[i], *map;

	if (i < 2 || !sl_insn_is_jump(call, BPF_CALL) || call->src_reg ||
	    call->imm != BPF_FUNC_map_lookup_elem || p->flow[i].joined)
		return;
	map = call - 2;
	if (!sl_insn_is_wide(map) || map->dst_reg != BPF_REG_1 ||
	    map->src_reg != BPF_PSEUDO_MAP_FD ||
	    !is_array(p->constants, map->imm))
		return;
	map->dst_reg = BPF_REG_0;
	map->src_reg = BPF_PSEUDO_MAP_VALUE;
	map[1].imm = 0;
	*call = (struct bpf_insn){ .code = BPF_JMP | BPF_JA };
}

static void rewrite(const struct pass *p, size_t i)
{
	struct bpf_insn *insn = &p->code->insns[i];
	struct sl_flow_value value;

	if (sl_insn_is_pure(insn) && !sl_insn_is_wide(insn)) {
		value = result(p, i);
		if (value.kind == SL_FLOW_CONSTANT &&
		    is_immediate(value.number)) {
			*insn = (struct bpf_insn){
				.code = move_code(value.number),
				.dst_reg = insn->dst_reg,
				.imm = (int32_t)(uint32_t)value.number,
			};
			return;
		}
	}
	take_entry(p, i);
	if (sl_insn_is_alu(insn) || sl_insn_is_branch(insn))
		take_immediate(&p->flow[i], insn);
	if (i > 0 && p->flow[i - 1].seen)
		exchange(&p->flow[i], insn);
	if (sl_insn_is_alu(insn))
		take_shift(insn);
	if (sl_insn_is_alu(insn) && changes_nothing(insn))
		*insn = (struct bpf_insn){ .code = BPF_JMP | BPF_JA };
}

int sl_specialise(struct sl_code *code, const struct sl_constants *constants)
{
	struct pass p = { .code = code, .constants = constants };
	int err = -ENOMEM;

	if (!sl_flow_is_closed(code))
		return 0;
	p.flow = calloc(code->n, sizeof(*p.flow));
	p.queue = calloc(code->n, sizeof(*p.queue));
	if (p.flow && p.queue) {
		propagate(&p);
		for (size_t i = 0; i < code->n; i++)
			if (p.flow[i].seen)
				rewrite(&p, i);
		err = sl_flow_prune(code, p.flow);
	}
	free(p.flow);
	free(p.queue);
	return err;
}
