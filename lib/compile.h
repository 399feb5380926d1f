/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Rules -> tables. A pure function: no system call, no global, any thread.
 */
#ifndef SLUICE_COMPILE_H
#define SLUICE_COMPILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sluice/abi.h"

struct sl_config;
struct sl_error;
struct sl_rule;

/* One rule that applies to the interface, at its position. */
struct sl_compiled_rule {
	const struct sl_rule *rule; /* of the configuration */
	struct sl_step step;	/* slot and ifindex are the caller's to set */
	uint32_t kind;		/* SL_MATCH_* */
	bool fresh;		/* its slot was nobody's */
	struct sl_counter base; /* what its slot had counted before */
};

/*
 * A generation for one interface. gen.generation, gen.nonce, gen.cache_cpus,
 * gen.mac and gen.flags & SL_GEN_NETLINK are left 0 for the loader. The answers in the
 * tables are not final: sl_compiled_finish() writes them.
 */
struct sl_compiled {
	struct sl_gen gen;
	uint8_t *tables; /* gen.table_bytes bytes */
	struct sl_compiled_rule *rules;
	size_t n_rules;
	uint32_t n_slots; /* how many counters the filter has, or should have */
	size_t n_resumes; /* steps after which the lookup goes on */
	size_t n_answers; /* 32-bit words at gen.dense or gen.answers */
	bool finished;
	size_t classes[SL_FIELD_COUNT]; /* how many; 0 where no rule looks */
	uint32_t *outs; /* where the FIB may send packets (devices.h); owned */
	size_t n_outs;
};

/*
 * Compiles the rules of `config` that apply to `interface`. The configuration
 * must outlive the result. 0 and *compiled is the caller's; or, with a message,
 * -EINVAL when the tables would be over the budget (`limits { tables }`,
 * SL_TABLES_BYTES_DEFAULT without), -ENOMEM. On failure *compiled is unchanged.
 */
int sl_compile(const struct sl_config *config, const char *interface,
	       struct sl_compiled **compiled, struct sl_error *error);

/*
 * Writes steps and answers (slots, devices) into the tables, once: after that
 * slots and devices are fixed. 0, or -ENOMEM and nothing is written.
 */
int sl_compiled_finish(struct sl_compiled *compiled);

void sl_compiled_free(struct sl_compiled *compiled); /* NULL is fine */

/* The name of a field, as in `check --json`. */
const char *sl_field_text(enum sl_field field);

#endif /* SLUICE_COMPILE_H */
