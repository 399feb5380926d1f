// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "bpf_example.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "bpf_rules.h"

static const uint8_t example_constants[MACHINE_CONSTANT_BYTES] = {
	[AT_SHIFT] = 5,
	[AT_MASK] = 0xff,
	[AT_BIG + 5] = 1,
	[AT_NEGATIVE] = 0xfe,
	0xff,
	0xff,
	0xff,
	[AT_BYTE] = 0x80,
};

static const int arrays[] = { MACHINE_FD_ARRAY, MACHINE_FD_ARRAY + 1 };

void example_specialise(struct example *e)
{
	const struct sl_constants with = {
		.fd = MACHINE_FD_CONSTANTS,
		.data = example_constants,
		.bytes = MACHINE_CONSTANT_BYTES,
		.arrays = arrays,
		.n_arrays = COUNT(arrays),
	};

	assert_int_equal(sl_specialise(&e->code, &with), 0);
}

void example_init(struct example *e, const struct bpf_insn *insns, size_t n,
		  const uint32_t *starts)
{
	*e = (struct example){ .code = { .insns = e->insns,
					 .n = n,
					 .func_info = e->functions,
					 .func_info_bytes = 8,
					 .n_func_info = 1,
					 .line_info = e->lines,
					 .line_info_bytes = 16 } };
	memcpy(e->insns, insns, n * sizeof(*insns));
	for (; starts && *starts; starts++) {
		uint32_t f = e->code.n_func_info++;

		e->functions[f] = (struct bpf_func_info){ *starts, f };
	}
	for (uint32_t i = 0; i < n; i++)
		if (insns[i].code)
			e->lines[e->code.n_line_info++] =
				(struct bpf_line_info){ .insn_off = i,
							.line_off = i };
	assert_null(rules_broken(&e->code));
}

static void run(struct machine *m, const struct bpf_insn *insns, size_t n,
		uint8_t context)
{
	memset(m, 0, sizeof(*m));
	memcpy(m->constants, example_constants, sizeof(m->constants));
	for (size_t i = 0; i < sizeof(m->context); i++)
		m->context[i] = (uint8_t)(context * (i + 1));
	machine_run(m, insns, n);
	m->steps = 0;
}

void example_assert_same(const struct example *e, const struct bpf_insn *before,
			 size_t n_before)
{
	static const uint8_t contexts[] = { 0, 1, 0x9d };
	static struct machine a, b;

	for (size_t i = 0; i < COUNT(contexts); i++) {
		run(&a, before, n_before, contexts[i]);
		run(&b, e->code.insns, e->code.n, contexts[i]);
		assert_null(a.fault);
		assert_null(b.fault);
		assert_int_equal(a.r0, b.r0);
		assert_memory_equal(&a, &b, sizeof(a));
	}
}

static void assert_insns(const struct sl_code *code,
			 const struct bpf_insn *expected, size_t n)
{
	for (size_t i = 0; i < code->n && i < n; i++) {
		const struct bpf_insn *is = &code->insns[i];

		if (memcmp(is, &expected[i], sizeof(*is)) == 0)
			continue;
		fail_msg("%zu is %02x r%u r%u %+d %d, not %02x r%u r%u %+d %d",
			 i, is->code, is->dst_reg, is->src_reg, is->off,
			 is->imm, expected[i].code, expected[i].dst_reg,
			 expected[i].src_reg, expected[i].off, expected[i].imm);
	}
	assert_int_equal(code->n, n);
}

void example_becomes(const struct bpf_insn *before, size_t n_before,
		     const uint32_t *starts, const struct bpf_insn *after,
		     size_t n_after)
{
	struct example e;

	example_init(&e, before, n_before, starts);
	example_specialise(&e);
	assert_insns(&e.code, after, n_after);
	assert_null(rules_broken(&e.code));
	example_assert_same(&e, before, n_before);
}
