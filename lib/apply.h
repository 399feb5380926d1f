/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Making a configuration the one that runs.
 */
#ifndef SLUICE_APPLY_H
#define SLUICE_APPLY_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sl_config;
struct sl_error;
struct sl_extension_change;

/* What became of one interface. */
struct sl_applied {
	char interface[IF_NAMESIZE];
	bool generic;	  /* else native */
	bool shared;	  /* under libxdp's dispatcher */
	uint32_t prog_id; /* 0 after a dry run */
	uint64_t generation;
	size_t n_rules;
	size_t table_bytes;
	/*
	 * What it took: rules to tables; tables and program into the kernel,
	 * mostly the verifier; the system call that puts it in the place of
	 * what ran. The new program is in force at the beginning of that call,
	 * which then waits a grace period (bpf_dispatcher_change_prog()).
	 */
	uint64_t compile_ns, load_ns, swap_ns;
	char note[256]; /* a sentence for the operator, or "" */
};

/*
 * Compiles, loads and attaches for every interface of the configuration, which
 * has the live rules that are to run on (carry.h), but those for which skip[i]:
 * everything is compiled and loaded before anything is attached, and if one
 * interface refuses, those already swapped get their old program back. So
 * either all of it runs, or what ran before still does. Two exceptions: a
 * change of mode takes the filter off for a moment, which the message says;
 * and with `attach shared` a later interface's refusal leaves the new
 * generation on the earlier ones.
 *
 * `applied` has room for config->n_interfaces; it tells of those not skipped, in
 * order. With dry_run everything is done but the attaching. The caller holds the
 * lock (lock.h). 0, or -errno with a message: -EINVAL when the
 * configuration is at fault, else the system refused.
 */
int sl_apply(struct sl_config *config, const bool *skip, bool dry_run,
	     struct sl_applied *applied, struct sl_error *error);

/*
 * The same for a change of the configuration that runs: live sets keep what they
 * hold, and extensions stay as they are, but for the change (or NULL).
 */
int sl_apply_rules(struct sl_config *config, const bool *skip,
		   const struct sl_extension_change *extension,
		   struct sl_applied *applied, struct sl_error *error);

#endif /* SLUICE_APPLY_H */
