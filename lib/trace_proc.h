/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the kernel counts by itself: interrupts, softirqs and context switches, from
 * /proc, readable by anybody and without cost while it is not read. Any thread.
 */
#ifndef SLUICE_TRACE_PROC_H
#define SLUICE_TRACE_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "sluice/trace.h"

/* A line of /proc/interrupts. */
struct sl_proc_irq {
	char name[8];	/* its number, or letters ("LOC") */
	char what[40];	/* the end of the line: who asked for it */
	bool device;	/* a number: it has a registered handler */
	uint64_t count; /* of all CPUs */
};

struct sl_proc_cpu {
	uint64_t device_irqs; /* those with a handler */
	uint64_t softirqs[SL_SOFTIRQ_COUNT];
};

struct sl_proc {
	struct sl_proc_irq *irqs;
	size_t n_irqs;
	struct sl_proc_cpu *cpus;
	uint32_t n_cpus;
	uint64_t switches;
};

/*
 * Reads it for the CPUs 0 to n_cpus-1. 0 and the caller's *proc, to be freed with
 * sl_proc_fini(), or -errno and nothing is held.
 */
int sl_proc_read(uint32_t n_cpus, struct sl_proc *proc);
void sl_proc_fini(struct sl_proc *proc);

/* The parts, from files that are open; they add to what is in *proc. */
int sl_proc_take_interrupts(FILE *in, struct sl_proc *proc);
int sl_proc_take_softirqs(FILE *in, struct sl_proc *proc);

/* Packets that an interface of this network namespace has received; false: none
 * of that name. `name` NULL: all of them but the loopback. */
bool sl_proc_received(const char *name, uint64_t *packets);

#endif /* SLUICE_TRACE_PROC_H */
