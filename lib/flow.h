/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What specialise.c finds out about a program and prune.c removes by. */
#ifndef SLUICE_FLOW_H
#define SLUICE_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "insn.h"

struct sl_code;

enum sl_flow_kind {
	SL_FLOW_UNSEEN, /* no path leads here, so far */
	SL_FLOW_CONSTANT,
	SL_FLOW_POINTER, /* to the constants, `number` bytes in */
	SL_FLOW_VARIES
};

struct sl_flow_value {
	enum sl_flow_kind kind;
	uint64_t number;
};

/* Of one instruction. */
struct sl_flow {
	struct sl_flow_value reg[SL_INSN_REGISTERS]; /* before it */
	sl_registers live;			     /* after it */
	int8_t outcome; /* of a branch: 1 taken, 0 not, -1 either */
	bool seen;	/* some path leads here */
	bool joined;	/* and one that does not come from above */
	bool queued;
};

/* The place of what instruction `i` names (sl_insn_names_other()). */
size_t sl_flow_target(const struct sl_code *code, size_t i);

/* Do all jumps and records lead to instructions? */
bool sl_flow_is_closed(const struct sl_code *code);

/*
 * Where instruction `i`, which is seen, leads: 0 to 2 places.
 */
int sl_flow_successors(const struct sl_code *code, const struct sl_flow *flow,
		       size_t i, size_t to[2]);

/*
 * Removes what no path leads to, branches whose outcome is known, and what
 * sets registers that nothing reads. 0 or -ENOMEM.
 */
int sl_flow_prune(struct sl_code *code, struct sl_flow *flow);

#endif /* SLUICE_FLOW_H */
