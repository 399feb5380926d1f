/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Everything that reaches a message passes printable(): what an input holds
 * can neither hide in a terminal nor steer it. The source line is cut to a
 * window around the place when the message is added, so that an error on a
 * line of a megabyte costs a hundred bytes.
 */
#include "diag.h"

#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "utf8.h"

/* Bytes of a source line that are shown, and how many before the caret. */
#define WINDOW_BYTES 100
#define WINDOW_BEFORE 60

/*
 * Writes `length` bytes of `text` to `to`, which has room for 4 * length + 1:
 * what is not printable as \xNN, a tab as a blank. Returns the columns that
 * the first `place` bytes took.
 */
static unsigned printable(char *to, const char *text, size_t length,
			  size_t place)
{
	unsigned columns = 0, before = 0;
	size_t i = 0;

	while (i < length) {
		size_t n = sl_utf8_printable(text + i, length - i);

		if (i <= place)
			before = columns;
		if (n) {
			memcpy(to, text + i, n);
			to += n;
			i += n;
			columns++;
		} else if (text[i] == '\t') {
			*to++ = ' ';
			i++;
			columns++;
		} else {
			to += sprintf(to, "\\x%02x", (unsigned char)text[i++]);
			columns += 4;
		}
	}
	*to = '\0';
	return place >= length ? columns : before;
}

static char *printable_copy(const char *text)
{
	size_t length = strlen(text);
	char *copy = malloc(4 * length + 1);

	if (copy)
		printable(copy, text, length, 0);
	return copy;
}

/* Line `line` (from 1) of the text, without its newline; NULL: no such line. */
static const char *find_line(const char *text, size_t length, unsigned line,
			     size_t *line_length)
{
	const char *end = text + length, *newline;

	while (--line) {
		newline = memchr(text, '\n', (size_t)(end - text));
		if (!newline)
			return NULL;
		text = newline + 1;
	}
	newline = memchr(text, '\n', (size_t)(end - text));
	*line_length = (size_t)((newline ? newline : end) - text);
	if (*line_length && text[*line_length - 1] == '\r')
		--*line_length;
	return text;
}

static char *show_line(struct sl_pos pos, const char *text, size_t length,
		       unsigned *caret)
{
	size_t line_length, place, start = 0, end;
	const char *line = find_line(text, length, pos.line, &line_length);
	char *shown, *to;

	if (!line)
		return NULL;
	place = pos.column ? pos.column - 1 : 0;
	if (place > line_length)
		place = line_length;
	if (line_length > WINDOW_BYTES && place > WINDOW_BEFORE)
		start = place - WINDOW_BEFORE;
	while (start && ((unsigned char)line[start] & 0xc0) == 0x80)
		start--;
	end = line_length - start > WINDOW_BYTES ? start + WINDOW_BYTES :
						   line_length;
	while (end < line_length && ((unsigned char)line[end] & 0xc0) == 0x80)
		end++;
	shown = malloc(4 * (end - start) + 2 * strlen("...") + 1);
	if (!shown)
		return NULL;
	to = stpcpy(shown, start ? "..." : "");
	*caret = (start ? 3 : 0) +
		 printable(to, line + start, end - start, place - start);
	if (end < line_length)
		strcat(to, "...");
	return shown;
}

__attribute__((format(printf, 3, 0))) static int fill(struct sl_diag *diag,
						      const char *file,
						      const char *format,
						      va_list arguments)
{
	char *message = NULL;

	if (file) {
		diag->file = printable_copy(file);
		if (!diag->file)
			return -1;
	}
	if (vasprintf(&message, format, arguments) < 0)
		goto err_free_file;
	diag->message = printable_copy(message);
	free(message);
	if (diag->message)
		return 0;
err_free_file:
	free(diag->file);
	return -1;
}

void sl_diags_add(struct sl_diags *diags, bool warning, const char *file,
		  struct sl_pos pos, const char *text, size_t length,
		  const char *format, ...)
{
	struct sl_diag diag = { .warning = warning, .pos = pos }, *items;
	va_list arguments;
	int failed;

	/* An error counts even if there is no memory left to word it. */
	if (!warning)
		diags->n_errors++;
	items = sl_array_room(diags->items, diags->n_items, sizeof(*items));
	if (!items) {
		diags->lost = true;
		return;
	}
	diags->items = items;
	va_start(arguments, format);
	failed = fill(&diag, file, format, arguments);
	va_end(arguments);
	if (failed) {
		diags->lost = true;
		return;
	}
	if (text && pos.line)
		diag.line = show_line(pos, text, length, &diag.caret);
	items[diags->n_items++] = diag;
}

static void print_one(const struct sl_diag *diag, FILE *out)
{
	if (diag->file)
		fprintf(out, "%s:", diag->file);
	if (diag->pos.line)
		fprintf(out, "%u:", diag->pos.line);
	if (diag->pos.line && diag->pos.column)
		fprintf(out, "%u:", diag->pos.column);
	fprintf(out, "%s%s: %s\n", diag->file || diag->pos.line ? " " : "",
		diag->warning ? "warning" : "error", diag->message);
	if (diag->line)
		fprintf(out, "    %s\n    %*s^\n", diag->line, (int)diag->caret,
			"");
}

void sl_diags_print(const struct sl_diags *diags, FILE *out)
{
	for (size_t i = 0; i < diags->n_items; i++)
		print_one(&diags->items[i], out);
	if (diags->lost)
		fputs("error: memory ran out: some messages are lost\n", out);
}

void sl_diags_fini(struct sl_diags *diags)
{
	for (size_t i = 0; i < diags->n_items; i++) {
		free(diags->items[i].file);
		free(diags->items[i].message);
		free(diags->items[i].line);
	}
	free(diags->items);
	*diags = (struct sl_diags){ 0 };
}
