/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What xdp/witness.bpf.c is told when it is loaded (afxdp-app/witness.c). */
#ifndef SLUICE_WITNESS_ABI_H
#define SLUICE_WITNESS_ABI_H

#include <linux/types.h>

struct sl_witness_of {
	__u64 ns_dev,
		ns_ino; /* the PID namespace that `process` is a number of */
	__u32 process;
	__u32 pad;
};

_Static_assert(sizeof(struct sl_witness_of) == 24, "no hidden padding");

#endif /* SLUICE_WITNESS_ABI_H */
