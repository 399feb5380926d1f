/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Small programs, by instruction, and what they have to become. */
#ifndef SLUICE_TEST_BPF_EXAMPLE_H
#define SLUICE_TEST_BPF_EXAMPLE_H

#include <stddef.h>
#include <stdint.h>

#include <linux/bpf.h>

#include "bpf_insns.h"
#include "bpf_machine.h"
#include "lib/specialise.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define SMALL 64

/* What the examples load by. */
enum { AT_SHIFT = 0, AT_MASK = 4, AT_BIG = 8, AT_NEGATIVE = 16, AT_BYTE = 20 };

/* An example, with a line of its own for every instruction. */
struct example {
	struct bpf_insn insns[SMALL];
	struct bpf_func_info functions[4];
	struct bpf_line_info lines[SMALL];
	struct sl_code code;
};

/*
 * `starts`: where the functions behind the first begin, up to a 0; or NULL.
 * Fails the test unless the kernel would take the shape (bpf_rules.h).
 */
void example_init(struct example *e, const struct bpf_insn *insns, size_t n,
		  const uint32_t *starts);

void example_specialise(struct example *e);

/* Fails the test unless the example does what `before` does. */
void example_assert_same(const struct example *e, const struct bpf_insn *before,
			 size_t n_before);

/* All of it: fails the test unless `before` becomes `after`. */
void example_becomes(const struct bpf_insn *before, size_t n_before,
		     const uint32_t *starts, const struct bpf_insn *after,
		     size_t n_after);

#define BECOMES(before, after) \
	example_becomes(before, COUNT(before), NULL, after, COUNT(after))

#define CONSTANTS(r, at) WIDE(r, BPF_PSEUDO_MAP_VALUE, MACHINE_FD_CONSTANTS, at)
#define MAP(r, fd) WIDE(r, BPF_PSEUDO_MAP_FD, fd, 0)

#endif /* SLUICE_TEST_BPF_EXAMPLE_H */
