/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The rules of a configuration as a list that changes: whose a rule is, whether
 * its time is up, and putting rules in and taking them out. No system call; any
 * thread that has the configuration to itself. Every function is linear in the
 * rules.
 */
#ifndef SLUICE_RULELIST_H
#define SLUICE_RULELIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sl_config;
struct sl_rule;
struct sl_symbols;

#define SL_OWNER_CONFIG "config" /* of a rule that names none */
#define SL_OWNER_LIVE "live"	 /* of one that was added and names none */

/* Whose it is. The rule's. */
const char *sl_rule_owner(const struct sl_rule *rule);

/* Gives a rule that names none an owner. 0 or -ENOMEM. */
int sl_rule_own(struct sl_rule *rule, const char *owner);

/* Another owner's than the file's: `apply` leaves it alone. */
bool sl_rule_is_live(const struct sl_rule *rule);

/* now_ns: CLOCK_MONOTONIC */
bool sl_rule_is_expired(const struct sl_rule *rule, uint64_t now_ns);

/* Its canonical text without the newline, to free(); NULL: no memory. */
char *sl_rule_text(const struct sl_rule *rule);

/* Whether a stage of the forwarder names the rule. */
bool sl_rule_is_staged(const struct sl_config *config, const char *name);

/* How many rules the configuration may have. */
size_t sl_rulelist_most(const struct sl_config *config);

/* Name -> index, valid until the list changes. 0 or -ENOMEM; fini either way. */
int sl_rulelist_index(const struct sl_config *config,
		      struct sl_symbols *by_name);

/*
 * Puts `n` rules in, each behind those of its band, equal bands in their order.
 * They are the configuration's from then on, and zeroes in `rules`. 0, or
 * -ENOMEM and nothing has changed.
 */
int sl_rulelist_insert(struct sl_config *config, struct sl_rule *rules,
		       size_t n);

/* Frees the rules at i for which gone[i]. */
void sl_rulelist_remove(struct sl_config *config, const bool *gone);

/* Rules that expire and have no deadline yet get theirs: now + `expires`. */
void sl_rulelist_start(struct sl_config *config, uint64_t now_ns);

#endif /* SLUICE_RULELIST_H */
