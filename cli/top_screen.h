/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * `sluice top` on the terminal, by ncurses. One a process.
 */
#ifndef SLUICE_CLI_TOP_SCREEN_H
#define SLUICE_CLI_TOP_SCREEN_H

#include "top_model.h"
#include "top_state.h"

struct top_view {
	const struct top_reading *reading;
	const char *message; /* what happened, or went wrong; "": nothing */
	bool alarm;	     /* it went wrong */
	double seconds;	     /* between readings */
};

/*
 * Takes the terminal. CLI_OK, or the exit status, said on stderr: standard input or output
 * is none, or it is of an unknown type. Colours, unless the terminal has none or the
 * environment says NO_COLOR (no-color.org).
 */
int top_screen_open(void);

/* Gives the terminal back as it was. Also when it is not open. */
void top_screen_close(void);

/* The next key that waits (enum top_key, or a character); -1: none does. */
int top_screen_key(void);

/* Rows of a table that there is room for. */
size_t top_screen_page(const struct top_view *view);

/* Draws it all, `state->first` kept within the table. 0 or -ENOMEM. */
int top_screen_draw(const struct top_view *view, struct top_state *state);

#endif /* SLUICE_CLI_TOP_SCREEN_H */
