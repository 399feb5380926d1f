/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What there is to know of the machine and of this process: plain facts, read
 * without changing any.
 */
#ifndef SLUICE_DOCTOR_HOST_H
#define SLUICE_DOCTOR_HOST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

#include "doctor_probe.h"

struct sl_host {
	char release[65]; /* uname -r */
	unsigned cpus;	  /* online */
	struct sl_probe probe;
	uint64_t capabilities; /* effective; bit n is CAP number n */
	struct rlimit memlock;
	int unprivileged_bpf; /* 0 open, 1 and 2 closed, -1 not to be seen */
	int jit_harden;	      /* likewise: 0 off, 1 unprivileged, 2 all */
	int irqbalance;	      /* its pid; 0: does not run; -1: hidden */
	char spectre_v2[160]; /* the kernel's words; "" not to be seen */
	struct {
		int err; /* -ENOENT: no such family (before Linux 6.3) */
		bool features, queues, set;
	} netdev;
};

void sl_host_read(struct sl_host *host);

#endif /* SLUICE_DOCTOR_HOST_H */
