/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sees whether a process runs NAPI itself: BPF programs on trace points of the kernel
 * (xdp/witness.bpf.c), loaded for as long as it is looked. Agent.
 */
#ifndef SLUICE_FWD_WITNESS_H
#define SLUICE_FWD_WITNESS_H

#include <stdint.h>
#include <sys/types.h>

struct sl_witness;

/*
 * Looks at the threads of `process` from here on. Needs CAP_SYS_ADMIN (or CAP_BPF and
 * CAP_PERFMON) and a kernel with BTF of itself. 0 and the caller closes *witness, or -errno.
 */
int sl_witness_open(pid_t process, struct sl_witness **witness);

/* The polls of NAPI instance `napi_id` that it made itself since then. */
uint64_t sl_witness_polls(const struct sl_witness *witness, uint32_t napi_id);

void sl_witness_close(struct sl_witness *witness); /* NULL is fine */

#endif /* SLUICE_FWD_WITNESS_H */
