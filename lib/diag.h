/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Messages about an input text: where, what, what was expected, and the line
 * itself with a caret under the place.
 */
#ifndef SLUICE_DIAG_H
#define SLUICE_DIAG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* From 1; a column counts bytes, a tab is one. line 0: no place is known. */
struct sl_pos {
	unsigned line, column;
};

struct sl_diag {
	bool warning;
	char *file; /* the configuration, or a set file it names */
	struct sl_pos pos;
	char *message;
	char *line;	/* the source line, printable and shortened, or NULL */
	unsigned caret; /* columns of `line` before the place */
};

/* Start from `struct sl_diags d = { 0 }`; sl_diags_fini() frees the contents. */
struct sl_diags {
	struct sl_diag *items;
	size_t n_items;
	size_t n_errors;
	bool lost; /* memory ran out while a message was being added */
};

/*
 * Adds one; `text` (of `length` bytes, may be NULL) is where the line at `pos`
 * is copied from. `file` may be NULL.
 */
void sl_diags_add(struct sl_diags *diags, bool warning, const char *file,
		  struct sl_pos pos, const char *text, size_t length,
		  const char *format, ...)
	__attribute__((format(printf, 7, 8)));

/*
 * Prints all in order, each as
 *
 *   FILE:LINE:COLUMN: error: MESSAGE
 *       the source line
 *            ^
 */
void sl_diags_print(const struct sl_diags *diags, FILE *out);

void sl_diags_fini(struct sl_diags *diags);

#endif /* SLUICE_DIAG_H */
