// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "top_state.h"

#include <stdint.h>
#include <string.h>

#define ESCAPE 27
#define ERASE 127 /* Backspace, as a character: and as Control-H */
#define ERASE_H 8
#define KILL_LINE 21 /* Control-U */

const char *top_tab_text(enum top_tab tab)
{
	static const char *const texts[TOP_TABS] = {
		[TOP_VERDICTS] = "verdicts", [TOP_RULES] = "rules",
		[TOP_PORTS] = "ports",	     [TOP_SOURCES] = "sources",
		[TOP_QUEUES] = "queues",
	};

	return texts[tab];
}

const char *top_sort_text(enum top_sort sort)
{
	static const char *const texts[TOP_SORTS] = {
		[TOP_BY_RATE] = "packets/s", [TOP_BY_BITS] = "Mbit/s",
		[TOP_BY_PACKETS] = "total",  [TOP_BY_NAME] = "name",
		[TOP_BY_PLACE] = "place",
	};

	return texts[sort];
}

void top_state_init(struct top_state *state)
{
	*state = (struct top_state){ .tab = TOP_VERDICTS };
	state->sort[TOP_QUEUES] = TOP_BY_PLACE;
}

static void go(struct top_state *state, int tab)
{
	state->tab = (enum top_tab)((tab + TOP_TABS) % TOP_TABS);
	state->first = 0;
}

static void type(struct top_state *state, int key)
{
	size_t used = strlen(state->filter);

	if (key == ESCAPE || key == KILL_LINE)
		state->filter[0] = '\0';
	if (key == ESCAPE || key == '\n' || key == '\r')
		state->typing = false;
	else if ((key == TOP_KEY_BACKSPACE || key == ERASE || key == ERASE_H) &&
		 used)
		state->filter[used - 1] = '\0';
	else if (key >= ' ' && key < ERASE && used + 1 < TOP_FILTER) {
		state->filter[used] = (char)key;
		state->filter[used + 1] = '\0';
	}
	state->first = 0;
}

/* top_state_clamp() bounds it from below the last row. */
static void scroll(struct top_state *state, int key, size_t page)
{
	size_t back = key == TOP_KEY_UP ? 1 : page;

	switch (key) {
	case TOP_KEY_UP:
	case TOP_KEY_PAGE_UP:
		state->first -= state->first < back ? state->first : back;
		break;
	case TOP_KEY_DOWN:
		state->first++;
		break;
	case TOP_KEY_PAGE_DOWN:
		state->first += page;
		break;
	case TOP_KEY_HOME:
		state->first = 0;
		break;
	case TOP_KEY_END:
		state->first = SIZE_MAX / 2;
		break;
	default:
		break;
	}
}

static void command(struct top_state *state, int key)
{
	enum top_sort *sort = &state->sort[state->tab];

	switch (key) {
	case 'q':
		state->quit = true;
		break;
	case 'h':
	case '?':
		state->help = true;
		break;
	case 's':
		*sort = (enum top_sort)((*sort + 1) % TOP_SORTS);
		state->reverse[state->tab] = false;
		break;
	case 'r':
		state->reverse[state->tab] = !state->reverse[state->tab];
		break;
	case '/':
		state->typing = true;
		break;
	case ESCAPE:
		state->filter[0] = '\0';
		break;
	case 'f':
	case ' ':
		state->frozen = !state->frozen;
		break;
	case '\t':
	case TOP_KEY_RIGHT:
		go(state, (int)state->tab + 1);
		break;
	case TOP_KEY_LEFT:
		go(state, (int)state->tab - 1);
		break;
	default:
		if (key >= '1' && key < '1' + TOP_TABS)
			go(state, key - '1');
		break;
	}
}

void top_state_press(struct top_state *state, int key, size_t page)
{
	if (state->typing) {
		type(state, key);
	} else if (state->help) {
		state->help = false; /* any key */
		state->quit = key == 'q';
	} else {
		command(state, key);
		scroll(state, key, page);
	}
}

void top_state_clamp(struct top_state *state, size_t n, size_t page)
{
	size_t last = n > page ? n - page : 0;

	if (state->first > last)
		state->first = last;
}
