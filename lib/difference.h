/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What one configuration changes of another: rules by name, sets by name, the
 * default policy and the interfaces. Pure; any thread.
 */
#ifndef SLUICE_DIFFERENCE_H
#define SLUICE_DIFFERENCE_H

#include <stdbool.h>
#include <stddef.h>

struct sl_config;

enum sl_difference_kind {
	SL_DIFF_ADDED,
	SL_DIFF_REMOVED,
	SL_DIFF_CHANGED, /* and perhaps moved */
	SL_DIFF_MOVED,
	SL_DIFF_KINDS
};

/* "added", ... */
extern const char *const sl_difference_words[SL_DIFF_KINDS];

struct sl_difference_item {
	enum sl_difference_kind kind;
	const char *name;    /* of one of the configurations */
	char *old, *new;     /* the statement before and after; NULL: none */
	size_t n_old, n_new; /* of a set: prefixes and MACs in it */
};

struct sl_difference_list {
	struct sl_difference_item *items;
	size_t n;
};

struct sl_difference {
	struct sl_difference_list interfaces, rules, sets;
	bool default_changed;
	const char *default_old, *default_new; /* "pass" or "drop" */
	bool other; /* limits, extensions, the forwarder, metrics */
};

/*
 * `old` NULL: nothing ran. Live rules (rulelist.h) of `old` are left out unless
 * `new` names them, for an apply leaves them alone; of live sets only what is
 * written counts, not what they hold by now. As few rules as possible count as
 * moved. 0 and *difference is the caller's, to go before the configurations do;
 * or -ENOMEM.
 */
int sl_difference_find(const struct sl_config *old, const struct sl_config *new,
		       struct sl_difference *difference);

void sl_difference_fini(struct sl_difference *difference);

/* Is there any? */
bool sl_difference_any(const struct sl_difference *difference);

#endif /* SLUICE_DIFFERENCE_H */
