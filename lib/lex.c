/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include "lex.h"

#include <stdlib.h>
#include <string.h>

#include "utf8.h"

static const char not_text[] =
	"a byte that is no text: the configuration is UTF-8, without control characters";

static bool is_word_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || (c && strchr("_-.:/+", c));
}

bool sl_lex_is_word(const char *text)
{
	if (!*text)
		return false;
	while (is_word_byte(*text))
		text++;
	return !*text;
}

void sl_lexer_init(struct sl_lexer *lexer, const char *text, size_t length)
{
	*lexer = (struct sl_lexer){ .text = text, .length = length, .line = 1 };
}

static bool at_end(const struct sl_lexer *lexer)
{
	return lexer->offset >= lexer->length;
}

/* At a newline, "\n" or "\r\n". */
static bool at_newline(const struct sl_lexer *lexer)
{
	const char *s = lexer->text + lexer->offset;

	if (at_end(lexer))
		return false;
	return *s == '\n' || (*s == '\r' && lexer->length - lexer->offset > 1 &&
			      s[1] == '\n');
}

static struct sl_pos here(const struct sl_lexer *lexer)
{
	return (struct sl_pos){
		.line = lexer->line,
		.column = (unsigned)(lexer->offset - lexer->line_start + 1),
	};
}

static size_t printable(const struct sl_lexer *lexer)
{
	return sl_utf8_printable(lexer->text + lexer->offset,
				 lexer->length - lexer->offset);
}

static void bad(struct sl_lexer *lexer, struct sl_token *token,
		const char *error)
{
	if (token->kind == SL_TOKEN_BAD)
		return; /* the first is the one to tell */
	token->kind = SL_TOKEN_BAD;
	token->pos = here(lexer);
	token->error = error;
}

/* Skips blanks and a comment; a comment with a bad byte makes a BAD token. */
static void skip_blanks(struct sl_lexer *lexer, struct sl_token *token)
{
	while (!at_end(lexer) && (lexer->text[lexer->offset] == ' ' ||
				  lexer->text[lexer->offset] == '\t'))
		lexer->offset++;
	if (at_end(lexer) || lexer->text[lexer->offset] != '#')
		return;
	while (!at_end(lexer) && !at_newline(lexer)) {
		size_t n = printable(lexer);

		if (!n && lexer->text[lexer->offset] != '\t')
			bad(lexer, token, not_text);
		lexer->offset += n ? n : 1;
	}
}

static void read_word(struct sl_lexer *lexer, struct sl_token *token)
{
	token->text = lexer->text + lexer->offset;
	while (!at_end(lexer) && is_word_byte(lexer->text[lexer->offset])) {
		lexer->offset++;
		token->length++;
	}
}

/* A string's next character, which is neither the end nor the last quote. */
static void read_character(struct sl_lexer *lexer, struct sl_token *token)
{
	const char *s = lexer->text + lexer->offset;
	size_t n = printable(lexer);

	if (*s == '\\') {
		n = 2;
		if (lexer->length - lexer->offset < 2 ||
		    (s[1] != '"' && s[1] != '\\')) {
			bad(lexer, token,
			    "a backslash in a string stands only in \\\" and \\\\");
			n = 1;
		}
	} else if (!n) {
		bad(lexer, token, *s == '\t' ? "a tab in a string" : not_text);
		n = 1;
	}
	lexer->offset += n;
}

static void read_string(struct sl_lexer *lexer, struct sl_token *token)
{
	struct sl_pos start = here(lexer);

	lexer->offset++;
	token->quoted = true;
	token->text = lexer->text + lexer->offset;
	while (!at_end(lexer) && !at_newline(lexer) &&
	       lexer->text[lexer->offset] != '"')
		read_character(lexer, token);
	token->length = (size_t)(lexer->text + lexer->offset - token->text);
	if (!at_end(lexer) && !at_newline(lexer)) {
		lexer->offset++;
		return;
	}
	/* The end of the line is no place to look at: tell the opening quote. */
	*token = (struct sl_token){
		.kind = SL_TOKEN_BAD,
		.pos = start,
		.error = "a string that does not end on its line",
	};
}

static void read_set(struct sl_lexer *lexer, struct sl_token *token)
{
	lexer->offset++;
	token->kind = SL_TOKEN_SET;
	if (!at_end(lexer) && lexer->text[lexer->offset] == '"')
		read_string(lexer, token);
	else
		read_word(lexer, token);
	if (token->kind == SL_TOKEN_SET && !token->quoted && !token->length)
		bad(lexer, token, "expected the name of a set after @");
}

static void read_newline(struct sl_lexer *lexer, struct sl_token *token)
{
	token->kind = SL_TOKEN_NEWLINE;
	lexer->offset += lexer->text[lexer->offset] == '\r' ? 2 : 1;
	lexer->line++;
	lexer->line_start = lexer->offset;
}

static bool read_mark(struct sl_lexer *lexer, struct sl_token *token)
{
	switch (lexer->text[lexer->offset]) {
	case '{':
		token->kind = SL_TOKEN_OPEN;
		break;
	case '}':
		token->kind = SL_TOKEN_CLOSE;
		break;
	case ',':
		token->kind = SL_TOKEN_COMMA;
		break;
	case ';':
		token->kind = SL_TOKEN_SEMICOLON;
		break;
	default:
		return false;
	}
	token->text = lexer->text + lexer->offset++;
	token->length = 1;
	return true;
}

void sl_lexer_next(struct sl_lexer *lexer, struct sl_token *token)
{
	size_t n;

	*token = (struct sl_token){ .kind = SL_TOKEN_END };
	skip_blanks(lexer, token);
	if (token->kind == SL_TOKEN_BAD)
		return;
	token->pos = here(lexer);
	if (at_end(lexer))
		return;
	if (at_newline(lexer)) {
		read_newline(lexer, token);
	} else if (is_word_byte(lexer->text[lexer->offset])) {
		token->kind = SL_TOKEN_WORD;
		read_word(lexer, token);
	} else if (lexer->text[lexer->offset] == '"') {
		token->kind = SL_TOKEN_WORD;
		read_string(lexer, token);
	} else if (lexer->text[lexer->offset] == '@') {
		read_set(lexer, token);
	} else if (!read_mark(lexer, token)) {
		n = printable(lexer);
		bad(lexer, token,
		    n ? "a character that has no meaning here; quote names that hold it" :
			not_text);
		lexer->offset += n ? n : 1;
	}
}

char *sl_token_copy(const struct sl_token *token)
{
	char *copy = malloc(token->length + 1), *to = copy;

	if (!copy)
		return NULL;
	for (size_t i = 0; i < token->length; i++) {
		if (token->quoted && token->text[i] == '\\')
			i++;
		*to++ = token->text[i];
	}
	*to = '\0';
	return copy;
}
