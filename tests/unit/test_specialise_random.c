// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Random programs do what they did before they were specialised, and the kernel
 * takes their shape. A fixed seed makes the run repeatable; SLUICE_SEED in the
 * environment chooses another, and SLUICE_PROGRAMS how many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "bpf_machine.h"
#include "bpf_random.h"
#include "bpf_rules.h"
#include "lib/specialise.h"

#define PROGRAMS 5000

static const int arrays[] = { MACHINE_FD_ARRAY, MACHINE_FD_ARRAY + 1 };

struct totals {
	size_t ran, instructions, left, functions, entries, calls;
};

static void specialise(struct random_program *p)
{
	const struct sl_constants constants = {
		.fd = MACHINE_FD_CONSTANTS,
		.data = p->constants,
		.bytes = sizeof(p->constants),
		.arrays = arrays,
		.n_arrays = MACHINE_ARRAYS,
	};
	struct sl_code code = {
		.insns = p->insns,
		.n = p->n,
		.func_info = p->functions,
		.func_info_bytes = sizeof(p->functions[0]),
		.n_func_info = p->n_functions,
		.line_info = p->lines,
		.line_info_bytes = sizeof(p->lines[0]),
		.n_line_info = p->n_lines,
	};

	if (rules_broken(&code))
		fail_msg("before: %s", rules_broken(&code));
	assert_int_equal(sl_specialise(&code, &constants), 0);
	if (rules_broken(&code))
		fail_msg("after: %s", rules_broken(&code));
	p->n = code.n;
	p->n_functions = code.n_func_info;
}

static void run(struct machine *m, const struct random_program *p,
		uint8_t context)
{
	memset(m, 0, sizeof(*m));
	memcpy(m->constants, p->constants, sizeof(m->constants));
	for (size_t i = 0; i < sizeof(m->context); i++)
		m->context[i] = (uint8_t)(context * (i + 1));
	machine_run(m, p->insns, p->n);
}

static size_t entries(const struct random_program *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		n += p->insns[i].code == (BPF_LD | BPF_IMM | BPF_DW) &&
		     p->insns[i].src_reg == BPF_PSEUDO_MAP_VALUE &&
		     p->insns[i].imm != MACHINE_FD_CONSTANTS;
	return n;
}

static void compare(const struct random_program *before,
		    const struct random_program *after, struct totals *totals)
{
	static const uint8_t contexts[] = { 0, 1, 0x9d };
	static struct machine a, b;

	for (size_t i = 0; i < sizeof(contexts); i++) {
		run(&a, before, contexts[i]);
		if (a.fault && strcmp(a.fault, MACHINE_TOO_LONG) == 0)
			continue;
		run(&b, after, contexts[i]);
		if (a.fault || b.fault)
			fail_msg("%s", a.fault ? a.fault : b.fault);
		assert_true(b.steps <= a.steps);
		a.steps = b.steps;
		assert_int_equal(a.r0, b.r0);
		assert_int_equal(a.n_calls, b.n_calls);
		assert_memory_equal(&a, &b, sizeof(a));
		totals->ran++;
		totals->calls += a.n_calls;
	}
}

static size_t setting(const char *name, size_t otherwise)
{
	const char *value = getenv(name);

	return value ? strtoull(value, NULL, 0) : otherwise;
}

static void test_random_programs(void **state)
{
	static struct random_program before, after;
	size_t seed = setting("SLUICE_SEED", 1) * PROGRAMS;
	size_t programs = setting("SLUICE_PROGRAMS", PROGRAMS);
	struct totals totals = { 0 };

	(void)state;
	for (size_t i = 0; i < programs; i++) {
		random_program_make(&before, (seed + i) * 2 + 1);
		after = before;
		totals.instructions += before.n;
		totals.functions += before.n_functions;
		specialise(&after);
		totals.left += after.n;
		totals.functions -= after.n_functions;
		totals.entries += entries(&after);
		compare(&before, &after, &totals);
	}
	print_message("# %zu runs, %zu of %zu instructions left, %zu functions "
		      "removed, %zu entries taken, %zu calls\n",
		      totals.ran, totals.left, totals.instructions,
		      totals.functions, totals.entries, totals.calls);
	/* Each kind was seen often enough to have been tested. */
	assert_true(totals.ran > 2 * programs);
	assert_true(totals.left < totals.instructions * 9 / 10);
	assert_true(totals.functions > programs / 20);
	assert_true(totals.entries > programs / 5 && totals.calls > programs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
