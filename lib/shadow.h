/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Rules that another rule makes useless: which never match, and which ask and
 * say what one before them did. Pure; any thread.
 *
 * Only what holds whatever happens counts. A rule that expires, that has
 * `observe`, or whose action goes on shadows nothing; one with a live set
 * shadows only what names the same one. Rules that match nothing by
 * themselves (an empty set) are passed over.
 */
#ifndef SLUICE_SHADOW_H
#define SLUICE_SHADOW_H

#include <stdbool.h>
#include <stddef.h>

struct sl_compiled;
struct sl_config;
struct sl_diags;
struct sl_rule;

struct sl_shadow {
	const struct sl_rule *rule;
	const struct sl_rule *by; /* NULL: several before it together */
	bool never;		  /* `rule` can never match */
	bool same;		  /* both match the same packets */
	bool same_verdict;
};

struct sl_shadows {
	struct sl_shadow *items; /* in the order of the rules; one a rule */
	size_t n_items;
};

/*
 * Finds them among the rules of one interface; `compiled` is not finished yet.
 * A rule that one earlier rule covers is always found, by way of the first
 * such. One that only several cover together is found where the answers are a
 * table (gen.dense). Items with `never` or `same`, or both. 0 and *shadows is
 * the caller's, or -ENOMEM.
 */
int sl_shadows_find(const struct sl_compiled *compiled,
		    struct sl_shadows *shadows);

void sl_shadows_fini(struct sl_shadows *shadows);

/* Adds the warning that tells of one. `config` is where its rules are from. */
void sl_shadow_warn(const struct sl_shadow *shadow,
		    const struct sl_config *config, struct sl_diags *diags);

#endif /* SLUICE_SHADOW_H */
