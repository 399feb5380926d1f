/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include "parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FOUND_BYTES 40 /* of a token, in "found ..." */

void sl_parse_next(struct sl_parser *p)
{
	if (p->token.kind == SL_TOKEN_OPEN)
		p->depth++;
	else if (p->token.kind == SL_TOKEN_CLOSE && p->depth)
		p->depth--;
	sl_lexer_next(&p->lexer, &p->token);
}

bool sl_parse_at(const struct sl_parser *p, const char *keyword)
{
	return p->token.kind == SL_TOKEN_WORD && !p->token.quoted &&
	       p->token.length == strlen(keyword) &&
	       !memcmp(p->token.text, keyword, p->token.length);
}

bool sl_parse_accept(struct sl_parser *p, const char *keyword)
{
	if (!sl_parse_at(p, keyword))
		return false;
	sl_parse_next(p);
	return true;
}

bool sl_parse_stopped(const struct sl_parser *p)
{
	return p->errors >= SL_PARSE_ERRORS_MAX;
}

__attribute__((format(printf, 4, 0))) static void
report(struct sl_parser *p, bool warning, struct sl_pos pos, const char *format,
       va_list arguments)
{
	const struct sl_source *source = p->source;
	char *message;

	if (vasprintf(&message, format, arguments) < 0) {
		p->diags->lost = true;
		if (!warning)
			p->diags->n_errors++;
		return;
	}
	sl_diags_add(p->diags, warning, source->name, pos, source->text,
		     source->length, "%s", message);
	free(message);
}

int sl_parse_error(struct sl_parser *p, struct sl_pos pos, const char *format,
		   ...)
{
	va_list arguments;

	if (sl_parse_stopped(p))
		return -EINVAL;
	p->errors++;
	va_start(arguments, format);
	report(p, false, pos, format, arguments);
	va_end(arguments);
	return -EINVAL;
}

void sl_parse_warn(struct sl_parser *p, struct sl_pos pos, const char *format,
		   ...)
{
	va_list arguments;

	/* Ten thousand of the same kind would bury the errors. */
	if (p->warnings++ >= SL_PARSE_WARNINGS_MAX)
		return;
	va_start(arguments, format);
	report(p, true, pos, format, arguments);
	va_end(arguments);
}

int sl_parse_expected(struct sl_parser *p, const char *what)
{
	const struct sl_token *t = &p->token;
	int n = (int)(t->length > FOUND_BYTES ? FOUND_BYTES : t->length);
	const char *dots = t->length > FOUND_BYTES ? "..." : "";
	const char *quote = t->quoted ? "\"" : "";

	switch (t->kind) {
	case SL_TOKEN_BAD:
		return sl_parse_error(p, t->pos, "%s", t->error);
	case SL_TOKEN_END:
		return sl_parse_error(p, t->pos,
				      "expected %s, found the end of the text",
				      what);
	case SL_TOKEN_NEWLINE:
		return sl_parse_error(p, t->pos,
				      "expected %s, found the end of the line",
				      what);
	case SL_TOKEN_SET:
		return sl_parse_error(p, t->pos,
				      "expected %s, found @%s%.*s%s%s", what,
				      quote, n, t->text, dots, quote);
	default:
		return sl_parse_error(p, t->pos,
				      "expected %s, found %s%.*s%s%s", what,
				      quote, n, t->text, dots, quote);
	}
}

static bool at_separator(const struct sl_parser *p)
{
	return p->token.kind == SL_TOKEN_NEWLINE ||
	       p->token.kind == SL_TOKEN_COMMA ||
	       p->token.kind == SL_TOKEN_SEMICOLON;
}

/* Behind an error: to where the next item of the block may start. */
static void skip_item(struct sl_parser *p, unsigned depth)
{
	while (p->token.kind != SL_TOKEN_END) {
		if (p->depth <= depth &&
		    (at_separator(p) || p->token.kind == SL_TOKEN_CLOSE))
			return;
		sl_parse_next(p);
	}
}

/* A statement's keyword in the first column: somebody forgot a brace. */
static bool forgotten_brace(const struct sl_parser *p)
{
	return p->token.pos.column == 1 && sl_parse_at_statement(p);
}

static int unclosed(struct sl_parser *p, struct sl_pos open)
{
	p->resumed = true;
	p->depth = 0;
	return sl_parse_error(p, open, "this { is never closed: expected a }");
}

int sl_parse_block(struct sl_parser *p,
		   int (*item)(struct sl_parser *p, void *context),
		   void *context)
{
	struct sl_pos open = p->token.pos;
	int result = 0, err;
	unsigned depth;

	if (p->token.kind != SL_TOKEN_OPEN)
		return sl_parse_expected(p, "{");
	sl_parse_next(p);
	depth = p->depth;
	for (;;) {
		while (at_separator(p))
			sl_parse_next(p);
		if (p->token.kind == SL_TOKEN_CLOSE)
			break;
		if (p->token.kind == SL_TOKEN_END || forgotten_brace(p))
			return unclosed(p, open);
		err = item(p, context);
		if (!err && !at_separator(p) &&
		    p->token.kind != SL_TOKEN_CLOSE &&
		    p->token.kind != SL_TOKEN_END)
			err = sl_parse_expected(
				p, "; or , or the end of the line or }");
		if (err == -ENOMEM || p->resumed || sl_parse_stopped(p))
			return err;
		if (err) {
			result = err;
			skip_item(p, depth);
		}
	}
	sl_parse_next(p);
	return result;
}
