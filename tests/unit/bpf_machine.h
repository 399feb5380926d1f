/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A machine that runs BPF instructions without a kernel: what a program does is
 * then a value, which two programs can be compared by. Addresses are numbers
 * that are the same in every run. It is stricter than the instruction set and
 * as strict as the verifier about registers that nothing has set.
 */
#ifndef SLUICE_TEST_BPF_MACHINE_H
#define SLUICE_TEST_BPF_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/bpf.h>

#define MACHINE_CONTEXT_BYTES 64
#define MACHINE_CONSTANT_BYTES 64
#define MACHINE_ENTRY_BYTES 64
#define MACHINE_STACK_BYTES 512
#define MACHINE_FRAMES 8
#define MACHINE_CALLS 1024

/* The fault of a program that calls or does more than a test waits for. */
#define MACHINE_TOO_LONG "too many steps or calls"

/* Descriptors of the maps that there are. */
enum {
	MACHINE_FD_CONSTANTS = 3,
	MACHINE_FD_ARRAY, /* and the next, of one entry each */
	MACHINE_FD_HASH = MACHINE_FD_ARRAY + 2,
	MACHINE_FD_PROGRAMS
};

#define MACHINE_ARRAYS (MACHINE_FD_HASH - MACHINE_FD_ARRAY)

struct machine_call {
	int32_t helper;
	uint64_t arg[5];
};

struct machine {
	uint8_t context[MACHINE_CONTEXT_BYTES]; /* r1 of the program */
	uint8_t constants[MACHINE_CONSTANT_BYTES];
	uint8_t entry[MACHINE_ARRAYS][MACHINE_ENTRY_BYTES];
	uint8_t stack[MACHINE_FRAMES][MACHINE_STACK_BYTES];
	/*
	 * Calls of helpers in their order, but for the lookups that cannot
	 * miss; addresses of functions count as 0.
	 */
	struct machine_call calls[MACHINE_CALLS];
	size_t n_calls;
	size_t steps;
	uint64_t r0;
	const char *fault; /* NULL: it ran to its end */
};

/* Runs a program on what the machine's memory holds. */
void machine_run(struct machine *m, const struct bpf_insn *insns, size_t n);

#endif /* SLUICE_TEST_BPF_MACHINE_H */
