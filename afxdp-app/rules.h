/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * `rule NAME` of a stage: the filter tells a rule's slot, and the name of each slot stands in
 * a map beside the program (sl_names). A rule has a slot of its own on each interface; it
 * keeps it from one generation to the next, but may be gone and come back by another.
 */
#ifndef SLUICE_FWD_RULES_H
#define SLUICE_FWD_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "sluice/abi.h"

struct sl_fwd;

/*
 * What the rules of an interface's filter are called, for who writes a packet's rule down. One
 * writer, the main thread; readers are any threads, and never wait.
 */
struct sl_fwd_rule_names {
	uint32_t changes; /* odd while it is written */
	uint32_t generation; /* the names are of this one; as struct sl_meta has it */
	uint32_t n;
	char name[SL_SLOTS_MAX][SL_NAME_BYTES];
};

/*
 * The name that `slot` had in the filter's generation, written to `text`. False: it is not
 * known, as when the filter was replaced a moment ago.
 */
bool sl_fwd_rules_name(const struct sl_fwd_rule_names *names,
		       uint32_t generation, uint32_t slot,
		       char text[SL_NAME_BYTES]);

/*
 * Agent: room for the slots of the stages that name a rule, and for names where a capture is,
 * shared with a child. 0 or -ENOMEM.
 */
int sl_fwd_rules_open(struct sl_fwd *fwd);
void sl_fwd_rules_close(struct sl_fwd *fwd); /* after the stages */

/* Data plane: tells each of its stages where its slots stand. */
void sl_fwd_rules_bind(struct sl_fwd *fwd);

/*
 * Reads slots and names anew from the program that is attached to interface `iface`: at the start, and
 * when it is another one. Either process's main thread; needs CAP_SYS_ADMIN, effective. What cannot be read
 * stays as it was. 0 or -errno.
 */
int sl_fwd_rules_read(struct sl_fwd *fwd, uint32_t iface, uint32_t program_id);

/*
 * Tells say.h what stages and interfaces are about, for the journal: a stage its rule, an interface
 * the generation of its filter, which needs CAP_SYS_ADMIN, effective. Agent.
 */
void sl_fwd_rules_say_about(const struct sl_fwd *fwd);
void sl_fwd_rules_say_generation(const char *iface, uint32_t program_id);

/* Says which of them no interface has a slot for. */
void sl_fwd_rules_say(const struct sl_fwd *fwd);

#endif /* SLUICE_FWD_RULES_H */
