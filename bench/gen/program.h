/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One loaded instance of gen.bpf.c, and the system call that runs it.
 *
 * A run of more than one frame makes the kernel register the program with the
 * XDP dispatcher and, at the end, take it out again; each waits for an RCU
 * grace period, 24 ms together on Linux 6.18, which would turn any rate into
 * bursts 24 ms apart. A program that is attached somewhere stays registered
 * and a run then costs 11 us. So sl_gen_program_hold() attaches it to the loopback
 * device of a network namespace made for that and reachable by nobody else.
 */
#ifndef SLUICE_GEN_PROGRAM_H
#define SLUICE_GEN_PROGRAM_H

#include <stdint.h>
#include <stdio.h>

#include "gen.h"

struct program;
struct replay;

struct program_options {
	struct gen_config config;
	const struct replay *replay; /* NULL: generated packets */
	unsigned int ifindex;	     /* the device sent out of */
	const char *device;	     /* its name, for messages */
	uint64_t seed;
};

/*
 * Loads an instance; *program is the caller's. 0, or -errno with the message on
 * `err` and *program unchanged.
 */
int sl_gen_program_open(struct program **program,
			const struct program_options *options, FILE *err);

void sl_gen_program_close(struct program **program); /* NULL there is fine */

/* 0, or -errno: runs are then right, but come at 24 ms at best. */
int sl_gen_program_hold(struct program *program);

/*
 * Sends `count` frames from the calling thread, `batch` at a time; `bytes` is
 * what the kernel fills its pages with. 0, or -errno. One thread per program.
 */
int sl_gen_program_run(const struct program *program, const void *bytes,
		       uint32_t length, uint32_t count, uint32_t batch);

/* Counters while it runs. Any thread. */
uint64_t sl_gen_program_attempted(const struct program *program);
uint64_t sl_gen_program_bytes(const struct program *program);

/*
 * The longest frame this kernel sends in live mode, a page less its own
 * needs. 0, or -errno with the message on `err`: no permission, or a kernel
 * without live frames.
 */
int sl_gen_program_longest_frame(uint32_t *bytes, FILE *err);

#endif /* SLUICE_GEN_PROGRAM_H */
