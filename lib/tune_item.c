// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "tune_item.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"

static const char *const texts[] = {
	[SL_TUNE_SAME] = "same",
	[SL_TUNE_CHANGE] = "change",
	[SL_TUNE_LATER] = "later",
	[SL_TUNE_DONE] = "set",
	[SL_TUNE_UNSUPPORTED] = "unsupported",
	[SL_TUNE_REFUSED] = "refused",
	[SL_TUNE_HELD] = "held",
	[SL_TUNE_UNDONE] = "undone",
	[SL_TUNE_CONFLICT] = "conflict",
	[SL_TUNE_GONE] = "gone",
	[SL_TUNE_LEFT] = "left",
	[SL_TUNE_HOLDS] = "holds",
	[SL_TUNE_DRIFTED] = "drifted",
	[SL_TUNE_UNSEEN] = "unseen",
};

const char *sl_tune_outcome_text(enum sl_tune_outcome outcome)
{
	return texts[outcome];
}

struct sl_tune_item *sl_tune_list_add(struct sl_tune_list *list,
				      const char *device,
				      const struct sl_tune_key *key)
{
	struct sl_tune_item *item =
		sl_array_room(list->items, list->n, sizeof(*item));

	if (!item)
		return NULL;
	list->items = item;
	item += list->n++;
	snprintf(item->device, sizeof(item->device), "%s", device);
	item->key = *key;
	return item;
}

void sl_tune_item_end(struct sl_tune_item *item, enum sl_tune_outcome outcome,
		      const char *format, ...)
{
	va_list args;
	char *why;

	item->outcome = outcome;
	if (!format)
		return;
	va_start(args, format);
	if (vasprintf(&why, format, args) < 0)
		why = NULL;
	va_end(args);
	free(item->why);
	item->why = why;
}

int sl_tune_text_set(char **to, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		return -ENOMEM;
	free(*to);
	*to = copy;
	return 0;
}

void sl_tune_list_pop(struct sl_tune_list *list)
{
	struct sl_tune_item *item = &list->items[--list->n];

	free(item->old);
	free(item->now);
	free(item->wanted);
	free(item->why);
}

void sl_tune_list_fini(struct sl_tune_list *list)
{
	while (list->n)
		sl_tune_list_pop(list);
	free(list->items);
	list->items = NULL;
}
