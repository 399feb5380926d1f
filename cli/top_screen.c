// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 *   title
 *   interfaces, a line each, at most a fifth of the screen
 *   message, tabs, order and filter      (the last not on a low screen)
 *   note of the tab
 *   head of the table
 *   rows
 *   keys                                 (not on a low screen)
 *
 * Everything is drawn anew each time: ncurses finds what has changed.
 */
#include "top_screen.h"

#include <errno.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <curses.h>

#include "cli.h"

#define LOW 14	     /* lines; below, what is no table gives way */
#define ESCAPE_MS 25 /* how long the rest of a key's sequence may take */

enum { PAIR_BAD = 1, PAIR_NOTE };

static SCREEN *screen;
static bool coloured;

int top_screen_open(void)
{
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		fputs("sluice: top: standard input and output are no terminal; "
		      "`sluice stats --watch` needs none\n",
		      stderr);
		return CLI_SYSTEM;
	}
	setlocale(LC_CTYPE, "");
	screen = newterm(NULL, stdout, stdin);
	if (!screen) {
		fprintf(stderr,
			"sluice: top: the terminal type \"%s\" (TERM) is not "
			"known or cannot move its cursor; `sluice stats "
			"--watch` needs neither\n",
			term ? term : "");
		return CLI_SYSTEM;
	}
	set_escdelay(ESCAPE_MS);
	cbreak();
	noecho();
	nonl();
	nodelay(stdscr, true);
	keypad(stdscr, true);
	curs_set(0);
	if (!(no_color && *no_color) && has_colors() && start_color() == OK) {
		use_default_colors();
		init_pair(PAIR_BAD, COLOR_RED, -1);
		init_pair(PAIR_NOTE, COLOR_CYAN, -1);
		coloured = true;
	}
	return CLI_OK;
}

void top_screen_close(void)
{
	if (!screen)
		return;
	endwin();
	delscreen(screen);
	screen = NULL;
}

int top_screen_key(void)
{
	static const struct {
		int curses, key;
	} keys[] = {
		{ KEY_LEFT, TOP_KEY_LEFT },
		{ KEY_BTAB, TOP_KEY_LEFT },
		{ KEY_RIGHT, TOP_KEY_RIGHT },
		{ KEY_UP, TOP_KEY_UP },
		{ KEY_DOWN, TOP_KEY_DOWN },
		{ KEY_PPAGE, TOP_KEY_PAGE_UP },
		{ KEY_NPAGE, TOP_KEY_PAGE_DOWN },
		{ KEY_HOME, TOP_KEY_HOME },
		{ KEY_END, TOP_KEY_END },
		{ KEY_BACKSPACE, TOP_KEY_BACKSPACE },
		{ KEY_ENTER, '\n' },
	};
	int got = getch();

	if (got == ERR)
		return -1;
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (keys[i].curses == got)
			return keys[i].key;
	return got < TOP_KEY_NONE ? got : TOP_KEY_NONE;
}

static attr_t colour(short pair)
{
	return coloured ? (attr_t)COLOR_PAIR(pair) : 0;
}

/* Text within the screen, cut off at `width`. */
static void put(int line, int column, int width, attr_t attributes,
		const char *text)
{
	if (line < 0 || line >= LINES || column >= COLS)
		return;
	if (width > COLS - column)
		width = COLS - column;
	attrset(attributes);
	mvaddnstr(line, column, text, width);
	attrset(A_NORMAL);
}

static void put_line(int line, attr_t attributes, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void put_line(int line, attr_t attributes, const char *format, ...)
{
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	put(line, 0, COLS, attributes, text);
}

static int draw_title(const struct top_view *view,
		      const struct top_state *state)
{
	char text[512];
	int used = snprintf(text, sizeof(text), " sluice top, every %g s%s",
			    view->seconds,
			    state->frozen ? "   FROZEN: f goes on" : "");
	int width = COLS < (int)sizeof(text) ? COLS : (int)sizeof(text) - 1;

	snprintf(text + used, sizeof(text) - (size_t)used, "%*s",
		 width > used ? width - used : 0, "");
	put(0, 0, width, A_REVERSE, text);
	return 1;
}

static void draw_interface(int line, const struct top_interface *on)
{
	double share = on->pps > 0 ? on->dropped_pps * 100 / on->pps : 0;

	if (!on->present)
		put_line(line, A_BOLD | colour(PAIR_BAD), "%-10s no filter",
			 on->name);
	else if (!on->rated)
		put_line(line, A_BOLD, "%-10s %s, generation %llu", on->name,
			 on->mode, (unsigned long long)on->generation);
	else
		put_line(line, A_BOLD,
			 "%-10s %.0f packets/s, %.0f dropped (%.1f %%), %.3f "
			 "Mbit/s, %s, generation %llu",
			 on->name, on->pps, on->dropped_pps, share,
			 on->bps / 1e6, on->mode,
			 (unsigned long long)on->generation);
}

static int interface_lines(const struct top_view *view)
{
	int n = (int)view->reading->n_interfaces;
	int most = LINES / 5 > 1 ? LINES / 5 : 1;

	return n < 1 ? 1 : n < most ? n : most;
}

static int draw_interfaces(int line, const struct top_view *view)
{
	const struct top_reading *reading = view->reading;
	int lines = interface_lines(view);

	if (!reading->n_interfaces)
		put_line(line, A_BOLD,
			 "no filter is attached in this network namespace; "
			 "`sluice apply FILE` attaches one");
	for (int i = 0; i < lines && i < (int)reading->n_interfaces; i++)
		draw_interface(line + i, &reading->interfaces[i]);
	return line + lines;
}

static int draw_tabs(int line, const struct top_state *state)
{
	int column = 0;

	for (int t = 0; t < TOP_TABS; t++) {
		char text[32];
		int used = snprintf(text, sizeof(text), " %d %s ", t + 1,
				    top_tab_text(t));

		put(line, column, used,
		    t == (int)state->tab ? A_REVERSE : A_NORMAL, text);
		column += used;
	}
	return line + 1;
}

static int draw_choice(int line, const struct top_state *state, size_t n)
{
	const char *order = state->reverse[state->tab] ? ", reversed" : "";
	const char *sort = top_sort_text(state->sort[state->tab]);

	if (state->typing)
		put_line(line, A_BOLD, "filter: %s_", state->filter);
	else if (LINES < LOW && !state->filter[0])
		return line;
	else if (state->filter[0])
		put_line(line, 0, "by %s%s, %zu rows with \"%s\"", sort, order,
			 n, state->filter);
	else
		put_line(line, 0, "by %s%s, %zu rows", sort, order, n);
	return line + 1;
}

/* The lines from the message to the head of the table, where `n` rows follow. */
static int draw_head(int line, const struct top_view *view,
		     const struct top_state *state, size_t n)
{
	if (view->message[0] || LINES >= LOW)
		put_line(line++, view->alarm ? A_BOLD | colour(PAIR_BAD) : 0,
			 "%s", view->message);
	line = draw_tabs(line, state);
	line = draw_choice(line, state, n);
	if (view->reading->note[0])
		put_line(line++, colour(PAIR_NOTE), "%s", view->reading->note);
	return line;
}

/* A figure to the right, and the next column. */
static int put_figure(int line, int column, int width, attr_t attributes,
		      const char *text)
{
	char padded[32];

	if (!width)
		return column;
	snprintf(padded, sizeof(padded), "%*.*s", width, width, text);
	put(line, column, width, attributes, padded);
	return column + width + 1;
}

static int put_text(int line, int column, int width, attr_t attributes,
		    const char *text)
{
	if (width)
		put(line, column, width, attributes, text);
	return width ? column + width + 1 : column;
}

static int draw_titles(int line, const struct top_columns *c, enum top_tab tab)
{
	bool samples = tab == TOP_SOURCES;
	int x = put_text(line, 0, c->interface, A_UNDERLINE, "interface");

	x = put_text(line, x, c->name, A_UNDERLINE, "name");
	x = put_text(line, x, c->detail, A_UNDERLINE, "what");
	x = put_figure(line, x, c->pps, A_UNDERLINE,
		       samples ? "samples/s" : "packets/s");
	x = put_figure(line, x, c->mbps, A_UNDERLINE, "Mbit/s");
	x = put_figure(line, x, c->packets, A_UNDERLINE,
		       samples ? "samples" : "packets");
	put_figure(line, x, c->bytes, A_UNDERLINE, "bytes");
	return line + 1;
}

static void draw_row(int line, const struct top_columns *c,
		     const struct top_row *row)
{
	char pps[32] = "-", mbps[32] = "-", packets[32], bytes[32] = "";
	int x = put_text(line, 0, c->interface, 0, row->interface);

	if (row->rated) {
		snprintf(pps, sizeof(pps), "%.0f", row->pps);
		snprintf(mbps, sizeof(mbps), "%.3f", row->bps / 1e6);
	}
	snprintf(packets, sizeof(packets), "%llu",
		 (unsigned long long)row->counter.packets);
	if (!row->level)
		snprintf(bytes, sizeof(bytes), "%llu",
			 (unsigned long long)row->counter.bytes);
	x = put_text(line, x, c->name, A_BOLD, row->name);
	x = put_text(line, x, c->detail, 0, row->detail);
	x = put_figure(line, x, c->pps, A_BOLD, pps);
	x = put_figure(line, x, c->mbps, 0, mbps);
	x = put_figure(line, x, c->packets, 0, packets);
	put_figure(line, x, c->bytes, 0, bytes);
}

static void draw_help(int line)
{
	static const char *const text[] = {
		"1-5, Tab, left, right   what is shown",
		"s       sort by packets/s, Mbit/s, total, name, place in turn",
		"r       the other way round",
		"/       only rows with what is typed; Enter keeps, Esc ends it",
		"f       freeze: the screen stays as it is; f again goes on",
		"up, down, Page Up, Page Down, Home, End   the rows",
		"h       this help",
		"q       quit",
		"",
		"A rate is of the time between two readings; - is not known.",
		"Dropped: packets of the verdict drop, for whatever reason.",
		"Any key goes back.",
	};

	for (size_t i = 0; i < sizeof(text) / sizeof(*text); i++)
		put_line(line + (int)i, 0, "%s", text[i]);
}

/* The line that shows the keys; LINES: there is none. */
static int keys_line(void)
{
	return LINES < LOW ? LINES : LINES - 1;
}

size_t top_screen_page(const struct top_view *view)
{
	/* As draw_head() has it: message, tabs, choice, head of the table. */
	int head = 1 + interface_lines(view) + (LINES < LOW ? 2 : 4) +
		   !!view->reading->note[0];
	int page = keys_line() - head;

	return page > 1 ? (size_t)page : 1;
}

static int draw_table(int line, const struct top_view *view,
		      struct top_state *state, const struct top_row **rows,
		      size_t n)
{
	struct top_columns columns;
	size_t page;

	top_columns_fit(COLS, &columns);
	line = draw_head(line, view, state, n);
	line = draw_titles(line, &columns, view->reading->tab);
	page = keys_line() > line ? (size_t)(keys_line() - line) : 1;
	top_state_clamp(state, n, page);
	for (size_t i = 0; i < page && state->first + i < n; i++)
		draw_row(line + (int)i, &columns, rows[state->first + i]);
	return line;
}

int top_screen_draw(const struct top_view *view, struct top_state *state)
{
	const struct top_table *table = &view->reading->table;
	size_t n = 0;
	const struct top_row **rows = top_pick(table, state->sort[state->tab],
					       state->reverse[state->tab],
					       state->filter, &n);
	int line;

	if (!rows)
		return -ENOMEM;
	erase();
	line = draw_title(view, state);
	if (state->help) {
		draw_help(line);
	} else {
		line = draw_interfaces(line, view);
		draw_table(line, view, state, rows, n);
		put_line(keys_line(), A_REVERSE,
			 " h help  1-5 tabs  s sort  r reverse  / filter  f "
			 "freeze  q quit ");
	}
	refresh();
	free(rows);
	return 0;
}
