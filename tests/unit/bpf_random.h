/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Random programs for bpf_machine.h: with loops that end, functions, callbacks
 * and lookups; none reads a register before it is set or leads outside.
 */
#ifndef SLUICE_TEST_BPF_RANDOM_H
#define SLUICE_TEST_BPF_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#include <linux/bpf.h>

#include "bpf_machine.h"

#define RANDOM_INSNS 4096
#define RANDOM_FUNCTIONS 5

struct random_program {
	struct bpf_insn insns[RANDOM_INSNS];
	size_t n;
	struct bpf_func_info functions[RANDOM_FUNCTIONS];
	uint32_t n_functions;
	struct bpf_line_info lines[RANDOM_INSNS];
	uint32_t n_lines;
	uint8_t constants[MACHINE_CONSTANT_BYTES];
};

/* The program of this seed, which is not 0. */
void random_program_make(struct random_program *p, uint64_t seed);

#endif /* SLUICE_TEST_BPF_RANDOM_H */
