/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the operator chose to see in `sluice top`, and the keys that choose it. */
#ifndef SLUICE_CLI_TOP_STATE_H
#define SLUICE_CLI_TOP_STATE_H

#include "top_model.h"

#define TOP_FILTER 64

/* Keys that are no character. */
enum top_key {
	TOP_KEY_NONE = 256, /* one without a meaning here */
	TOP_KEY_LEFT,
	TOP_KEY_RIGHT,
	TOP_KEY_UP,
	TOP_KEY_DOWN,
	TOP_KEY_PAGE_UP,
	TOP_KEY_PAGE_DOWN,
	TOP_KEY_HOME,
	TOP_KEY_END,
	TOP_KEY_BACKSPACE
};

struct top_state {
	enum top_tab tab;
	enum top_sort sort[TOP_TABS];
	bool reverse[TOP_TABS];
	char filter[TOP_FILTER];
	bool typing; /* keys go to the filter */
	bool frozen; /* what is shown stays, and nothing is read */
	bool help;
	bool quit;
	size_t first; /* the row at the top */
};

void top_state_init(struct top_state *state);

/* A key that was typed; `page`: how many rows the screen shows at once. */
void top_state_press(struct top_state *state, int key, size_t page);

/* Keeps `first` within n rows, of which `page` are shown. */
void top_state_clamp(struct top_state *state, size_t n, size_t page);

/* The name of a tab, and of an order. */
const char *top_tab_text(enum top_tab tab);
const char *top_sort_text(enum top_sort sort);

#endif /* SLUICE_CLI_TOP_STATE_H */
