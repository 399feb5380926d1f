/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Live rules: adding and deleting rules of a configuration while it runs, and
 * reading what all its rules have counted. What a control plane links.
 *
 * A live rule is a rule of the running configuration's text like any other, of
 * another owner than `config`, to whom the rules of the file belong. So a change
 * is a new generation: every packet is judged with it or without it, rules keep
 * their counters by name, and it holds on every interface that runs the
 * configuration (or those the rule is `on`). Each change drops the live rules
 * that have expired.
 *
 * These functions find the filters through the kernel and take the lock
 * (lock.h) for a change; there is no other state. Main thread only: they may
 * move the process into the initial mount namespace (pins.h).
 */
#ifndef SLUICE_RULES_H
#define SLUICE_RULES_H

#include <net/if.h>
#include <stddef.h>
#include <stdint.h>

#include "sluice/abi.h"

struct sl_applied;
struct sl_config;
struct sl_diags;
struct sl_error;
struct sl_rule;

struct sl_rules_input {
	/* Whose configuration; NULL: the only one that runs, or the one on the
	 * interfaces that every rule is `on`. */
	const char *interface;
	const char *text; /* rules, one a line; the word `rule` may be left out */
	size_t length;
	const char *name; /* stands in messages in place of a file's */
};

/* What a change came to. Start from { 0 }; sl_rules_changed_fini() frees it. */
struct sl_rules_changed {
	size_t n_rules;			/* added or deleted */
	char (*expired)[SL_NAME_BYTES]; /* the rules dropped besides */
	size_t n_expired;
	struct sl_applied *applied; /* each interface that was swapped */
	size_t n_applied;
};

/*
 * Adds rules, each behind those of its band; one without owner gets
 * SL_OWNER_LIVE. All of them, or none: 0, or -errno and what ran still does
 * (with the exceptions of sl_apply()). -EINVAL when the rules are at fault: then
 * `diags` says where, or `error` why; -ENOENT when no configuration runs, or not
 * there. Other errors have a message in `error`.
 */
int sl_rules_add(const struct sl_rules_input *input, struct sl_diags *diags,
		 struct sl_rules_changed *changed, struct sl_error *error);

/*
 * Deletes live rules by name, expired or not. All or none, as above; -EINVAL
 * when a name is no rule's, or the rule is the file's.
 */
int sl_rules_del(const char *interface, char *const *names, size_t n_names,
		 struct sl_rules_changed *changed, struct sl_error *error);

void sl_rules_changed_fini(struct sl_rules_changed *changed);

struct sl_rules_entry {
	const struct sl_rule *rule; /* of the group's configuration */
	struct sl_counter counter;  /* of all its interfaces */
};

/* The rules of one configuration, in the order of evaluation. */
struct sl_rules_group {
	struct sl_config *config;
	char (*interfaces)[IF_NAMESIZE]; /* that run it */
	size_t n_interfaces;
	struct sl_rules_entry *rules;
	size_t n_rules;
};

struct sl_rules_list {
	uint64_t now_ns; /* CLOCK_MONOTONIC, for the rules' deadline_ns */
	struct sl_rules_group *groups;
	size_t n_groups;
};

/*
 * Reads the rules of the configuration on `interface`, or of all (NULL; there
 * may be none). 0 and the caller frees with sl_rules_list_fini(), or -errno with
 * a message; -ENOENT when none runs on `interface`.
 */
int sl_rules_list(const char *interface, struct sl_rules_list *list,
		  struct sl_error *error);
void sl_rules_list_fini(struct sl_rules_list *list);

#endif /* SLUICE_RULES_H */
