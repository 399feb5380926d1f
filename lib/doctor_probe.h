/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What this kernel can do, found by trying: programs of two instructions that
 * are loaded and closed again, sockets that are bound to nothing, and what takes
 * a device in a network namespace that is gone with the child that made it.
 * Nothing of this is seen by a packet or outlives the call.
 */
#ifndef SLUICE_DOCTOR_PROBE_H
#define SLUICE_DOCTOR_PROBE_H

#include <stdbool.h>

/* 0: it works; else the -errno with which the kernel refused. */
struct sl_probe {
	int program;	/* an XDP program loads; where not, BPF is not probed */
	int jit;	/* 1 compiled, 0 interpreted, -1 not to be seen */
	int btf;	/* the kernel tells its types */
	int freplace;	/* a program in place of another's function */
	int fentry;	/* before a kernel function */
	int tp_btf;	/* on a tracepoint, with typed arguments */
	int socket;	/* socket(AF_XDP) */
	int use_sg;	/* packets of several buffers */
	int busy_poll;	/* SO_PREFER_BUSY_POLL */
	int namespaced; /* the two below could be tried */
	int link;	/* XDP by bpf_link */
	int remap;	/* mmap of the fill ring of a bound socket */
};

void sl_probe_run(struct sl_probe *probe);

#endif /* SLUICE_DOCTOR_PROBE_H */
