/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The tokens of the configuration language.
 *
 *   WORD     letters, digits and _ - . : / + ; or a "STRING" on one line, in
 *            which \" and \\ are the only escapes
 *   SET      @WORD or @"STRING"
 *   { } , ;  and newline
 *   #        starts a comment, to the end of the line
 *
 * The input is any bytes. A token points into it; nothing is allocated.
 */
#ifndef SLUICE_LEX_H
#define SLUICE_LEX_H

#include <stdbool.h>
#include <stddef.h>

#include "diag.h"

enum sl_token_kind {
	SL_TOKEN_END,
	SL_TOKEN_NEWLINE,
	SL_TOKEN_WORD,
	SL_TOKEN_SET,
	SL_TOKEN_OPEN,
	SL_TOKEN_CLOSE,
	SL_TOKEN_COMMA,
	SL_TOKEN_SEMICOLON,
	SL_TOKEN_BAD, /* `error` says why */
};

struct sl_token {
	enum sl_token_kind kind;
	bool quoted;	  /* WORD, SET */
	const char *text; /* without @ and quotes, escapes as written */
	size_t length;	  /* bytes of text */
	struct sl_pos pos;
	const char *error; /* static */
};

struct sl_lexer {
	const char *text;
	size_t length, offset;
	size_t line_start; /* offset of the current line */
	unsigned line;	   /* from 1 */
};

void sl_lexer_init(struct sl_lexer *lexer, const char *text, size_t length);

/* Reads the next token; at the end it is END for ever. */
void sl_lexer_next(struct sl_lexer *lexer, struct sl_token *token);

/* Whether `text` can stand as a WORD without quotes. */
bool sl_lex_is_word(const char *text);

/* The text of a WORD or SET, escapes undone, for the caller to free; or NULL. */
char *sl_token_copy(const struct sl_token *token);

#endif /* SLUICE_LEX_H */
