/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Makes a program for the constants that it will run with.
 *
 * The verifier knows the values in a frozen map and cuts branches that they
 * decide, but it leaves the arithmetic on them: what reads a shift, makes a
 * mask of it and applies both stays five instructions. Here they become one.
 */
#ifndef SLUICE_SPECIALISE_H
#define SLUICE_SPECIALISE_H

#include <stddef.h>
#include <stdint.h>

struct bpf_insn;

/* What is known of the maps, which instructions name by descriptor. */
struct sl_constants {
	/* A map of one value that is frozen before the program loads. */
	int fd;
	const void *data; /* the value, in the kernel's byte order */
	size_t bytes;
	/*
	 * Maps of type ARRAY with one entry, which the code looks up with key
	 * 0 only: a lookup that cannot miss.
	 */
	const int *arrays;
	size_t n_arrays;
};

/*
 * A program and its functions, whose maps are resolved to descriptors. The
 * arrays are the caller's and only ever shrink: struct bpf_func_info and
 * bpf_line_info, or longer records that begin as these do (linux/bpf.h).
 */
struct sl_code {
	struct bpf_insn *insns;
	size_t n;
	void *func_info;
	uint32_t func_info_bytes; /* of a record */
	uint32_t n_func_info;
	void *line_info;
	uint32_t line_info_bytes;
	uint32_t n_line_info;
};

/*
 * Rewrites the code in place: it does the same with these constants, in fewer
 * instructions. Code that jumps out of itself is left to the verifier. 0; or
 * -ENOMEM, and the code is of no more use.
 */
int sl_specialise(struct sl_code *code, const struct sl_constants *constants);

#endif /* SLUICE_SPECIALISE_H */
