/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What stands in the maps of a filter with extensions. */
#ifndef SLUICE_EXT_H
#define SLUICE_EXT_H

#include <linux/types.h>

/*
 * Extensions are programs in sl_ext, tail-called in this order: `before` slots,
 * classification, `after` slots, the end. The entry of an empty slot holds the
 * program that comes next, so that each program calls the entry after its own;
 * but the first entry of a side without extensions is empty, and the caller goes
 * on by itself.
 */
#define SL_EXT_SLOTS 16
#define SL_EXT_BEFORE 0
#define SL_EXT_CLASSIFY (SL_EXT_BEFORE + SL_EXT_SLOTS)
#define SL_EXT_AFTER (SL_EXT_CLASSIFY + 1)
#define SL_EXT_END (SL_EXT_AFTER + SL_EXT_SLOTS)
#define SL_EXT_ENTRIES (SL_EXT_END + 1)
/* Classification and the end take 2 of the kernel's 33 tail calls a packet. */
#define SL_EXT_MAX 31

/*
 * The packet that this CPU has in the chain. Until it comes to the end it is
 * counted as an extension's, which may keep it.
 */
struct sl_ext_state {
	__u64 bytes;	  /* as it came in */
	__u64 generation; /* that classified it; 0: not classified yet */
	__u32 verdict;	  /* enum sl_verdict */
	__u32 reason;	  /* enum sl_reason */
	__u32 slot;	  /* rule slot, or SL_SLOT_NONE */
	__s32 act;	  /* enum xdp_action that is going to be taken */
};

_Static_assert(sizeof(struct sl_ext_state) == 32, "no hidden padding");

#endif /* SLUICE_EXT_H */
