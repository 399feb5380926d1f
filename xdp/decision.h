/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_XDP_DECISION_H
#define SLUICE_XDP_DECISION_H

#include <linux/types.h>

/* Where a packet goes, and what to count for it. */
struct sl_decision {
	__u32 verdict; /* enum sl_verdict */
	__u32 reason;  /* enum sl_reason */
	__u32 slot;    /* rule slot, or SL_SLOT_NONE */
	int act;       /* enum xdp_action */
};

#endif /* SLUICE_XDP_DECISION_H */
