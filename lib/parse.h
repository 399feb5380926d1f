/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Inside the parser; config.h is what others use.
 *
 * A recursive descent over one token of look-ahead. Each function starts at
 * the first token of its construct and ends behind the last. It returns 0;
 * -EINVAL, when the error has been reported and the statement cannot go on; or
 * -ENOMEM, which ends the parse. What was filled in until then stays in the
 * configuration, which is freed whole.
 *
 * Errors resume at the next statement, inside braces at the next item, and end
 * after SL_PARSE_ERRORS_MAX. Names are resolved when all statements are
 * read (parse_resolve.c), so their order is free.
 */
#ifndef SLUICE_PARSE_H
#define SLUICE_PARSE_H

#include "config.h"
#include "lex.h"
#include "symbol.h"

#define SL_PARSE_ERRORS_MAX 20 /* a screenful; the rest seldom helps */
#define SL_PARSE_WARNINGS_MAX 20
#define SL_PARSE_TEXT_MAX (64u << 20) /* bytes of a configuration */

/* The text that positions in a configuration refer to. */
struct sl_source {
	char *name;
	char *text;
	size_t length;
};

/* A set that a rule names, until it is resolved. */
enum sl_reference_field {
	SL_REF_SRC,
	SL_REF_DST,
	SL_REF_MAC_SRC,
	SL_REF_MAC_DST
};

struct sl_reference {
	size_t rule; /* index, before rules are ordered by band */
	enum sl_reference_field field;
	char *name;
	struct sl_pos pos;
};

struct sl_parser {
	const struct sl_source *source;
	struct sl_diags *diags;
	struct sl_config *config;
	struct sl_lexer lexer;
	struct sl_token token;	     /* the one to look at */
	unsigned depth;		     /* braces open before `token` */
	unsigned statement;	     /* counts them */
	struct sl_pos statement_pos; /* of its keyword */
	unsigned errors, warnings;
	bool resumed; /* the error ended right before a statement */
	struct sl_symbols interfaces, sets, rules; /* name -> index */
	struct sl_reference *references;
	size_t n_references;
};

/* config.c: frees what the rule holds; all zeroes is fine */
void sl_rule_fini(struct sl_rule *rule);

/* parse_token.c: looking at tokens, and reporting */
void sl_parse_next(struct sl_parser *p);
bool sl_parse_at(const struct sl_parser *p, const char *keyword);
bool sl_parse_accept(struct sl_parser *p, const char *keyword);
bool sl_parse_stopped(const struct sl_parser *p);
int sl_parse_error(struct sl_parser *p, struct sl_pos pos, const char *format,
		   ...) __attribute__((format(printf, 3, 4)));
void sl_parse_warn(struct sl_parser *p, struct sl_pos pos, const char *format,
		   ...) __attribute__((format(printf, 3, 4)));
/* "expected WHAT, found ..."; -EINVAL */
int sl_parse_expected(struct sl_parser *p, const char *what);
/* `{ ITEM ; ... }`: calls `item` at the start of each. */
int sl_parse_block(struct sl_parser *p,
		   int (*item)(struct sl_parser *p, void *context),
		   void *context);
bool sl_parse_at_statement(const struct sl_parser *p);

/* parse_word.c: the kinds of WORD. `what` stands in "expected WHAT". */
int sl_parse_choice(struct sl_parser *p, const char *const *words,
		    const char *what, unsigned *choice);
/* Whether the token is one of `words` (NULL ends them), unquoted. */
bool sl_parse_choice_at(const struct sl_parser *p, const char *const *words,
			unsigned *choice);
int sl_parse_name(struct sl_parser *p, const char *what, char **name);
int sl_parse_interface_name(struct sl_parser *p, char **name);
int sl_parse_path(struct sl_parser *p, const char *what, char **path);
int sl_parse_number(struct sl_parser *p, const char *what, uint64_t low,
		    uint64_t high, uint64_t *value);
int sl_parse_number32(struct sl_parser *p, const char *what, uint32_t low,
		      uint32_t high, uint32_t *value);
/* N or N-M */
int sl_parse_range(struct sl_parser *p, const char *what, uint32_t most,
		   uint32_t *low, uint32_t *high);
int sl_parse_duration(struct sl_parser *p, uint64_t most_ns, uint64_t *ns);
int sl_parse_size(struct sl_parser *p, uint64_t *bytes);
int sl_parse_rate(struct sl_parser *p, struct sl_rate *rate);
int sl_parse_prefix(struct sl_parser *p, struct sl_prefix *prefix);
/* "NAME: given twice"; -EINVAL when `bit` is in *seen already, else sets it. */
int sl_parse_once(struct sl_parser *p, unsigned *seen, unsigned bit,
		  const char *what);

/* one statement each, starting behind its keyword; a file for each of the long
 * ones */
int sl_parse_interface(struct sl_parser *p);
int sl_parse_set(struct sl_parser *p);
int sl_parse_rule(struct sl_parser *p);
int sl_parse_forwarder(struct sl_parser *p);

/* parse_match.c: the parts of a rule after `on` */
int sl_parse_proto(struct sl_parser *p, struct sl_rule *rule);
int sl_parse_addr(struct sl_parser *p, struct sl_addr *addr,
		  enum sl_reference_field field);
int sl_parse_ports(struct sl_parser *p, struct sl_ports *ports);
/* Adds a reference of the last rule to the set at the token. */
int sl_parse_reference(struct sl_parser *p, enum sl_reference_field field);

/* parse_option.c */
int sl_parse_options(struct sl_parser *p, struct sl_options *options);

/* parse_family.c: what contradicts itself within one rule */
int sl_parse_check_rule(struct sl_parser *p, const struct sl_rule *rule);
/* The same with the sets known: warnings only. */
void sl_parse_check_families(struct sl_parser *p, const struct sl_rule *rule);

/* parse_resolve.c: names, and what concerns several statements */
int sl_parse_resolve(struct sl_parser *p);

#endif /* SLUICE_PARSE_H */
