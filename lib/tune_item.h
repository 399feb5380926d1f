/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * One row of what `sluice tune` says, whichever verb: a setting, its values, and
 * what became of it.
 */
#ifndef SLUICE_TUNE_ITEM_H
#define SLUICE_TUNE_ITEM_H

#include <net/if.h>

#include "tune_setting.h"

enum sl_tune_outcome {
	SL_TUNE_SAME,	     /* it holds what is wanted */
	SL_TUNE_CHANGE,	     /* would be set */
	SL_TUNE_LATER,	     /* likewise, once its queue is there */
	SL_TUNE_DONE,	     /* set, and read back */
	SL_TUNE_UNSUPPORTED, /* this kernel, driver or queue has it not */
	SL_TUNE_REFUSED,     /* the kernel or driver does not take the value */
	SL_TUNE_HELD,	     /* another owner has set it */
	SL_TUNE_UNDONE,	     /* the old value is back */
	SL_TUNE_CONFLICT,    /* somebody has set another value: left alone */
	SL_TUNE_GONE,	     /* with its device */
	SL_TUNE_LEFT,	     /* not to be undone now; stays in the journal */
	SL_TUNE_HOLDS,	     /* our value is there */
	SL_TUNE_DRIFTED,     /* another value is there */
	SL_TUNE_UNSEEN,	     /* it cannot be read now */
};

struct sl_tune_item {
	char device[IF_NAMESIZE];
	struct sl_tune_key key;
	char *old;    /* what undo brings back; NULL: not changed by us */
	char *now;    /* NULL: not known */
	char *wanted; /* or what we set; NULL: unknown */
	char *why;    /* NULL: nothing to say */
	bool given;   /* asked for by the operator, not chosen */
	bool formed;  /* `wanted` has the form in which it is read */
	enum sl_tune_outcome outcome;
};

/* Start from { 0 }; sl_tune_list_fini() frees the contents. */
struct sl_tune_list {
	struct sl_tune_item *items;
	size_t n;
};

/* "same", "change", ... */
const char *sl_tune_outcome_text(enum sl_tune_outcome outcome);

/* A new row, the list's; NULL: no memory. */
struct sl_tune_item *sl_tune_list_add(struct sl_tune_list *list,
				      const char *device,
				      const struct sl_tune_key *key);

/* Takes the last row away again. */
void sl_tune_list_pop(struct sl_tune_list *list);

/*
 * Sets the outcome, and what there is to say of it in place of what was said
 * (format NULL: that stays). Without memory nothing is said.
 */
void sl_tune_item_end(struct sl_tune_item *item, enum sl_tune_outcome outcome,
		      const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* A copy in place of *to, which is freed. 0, or -ENOMEM and *to as it was. */
int sl_tune_text_set(char **to, const char *text);

void sl_tune_list_fini(struct sl_tune_list *list);

#endif /* SLUICE_TUNE_ITEM_H */
