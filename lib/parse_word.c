/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include "parse.h"

#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "quantity.h"
#include "sluice/abi.h"

bool sl_parse_choice_at(const struct sl_parser *p, const char *const *words,
			unsigned *choice)
{
	for (unsigned i = 0; words[i]; i++) {
		if (words[i][0] && sl_parse_at(p, words[i])) {
			*choice = i;
			return true;
		}
	}
	return false;
}

int sl_parse_choice(struct sl_parser *p, const char *const *words,
		    const char *what, unsigned *choice)
{
	if (!sl_parse_choice_at(p, words, choice))
		return sl_parse_expected(p, what);
	sl_parse_next(p);
	return 0;
}

/* A WORD of 1 to `most` bytes. */
static int parse_word(struct sl_parser *p, const char *what, size_t most,
		      char **word)
{
	struct sl_pos pos = p->token.pos;
	char *copy;

	if (p->token.kind != SL_TOKEN_WORD)
		return sl_parse_expected(p, what);
	copy = sl_token_copy(&p->token);
	if (!copy)
		return -ENOMEM;
	if (!*copy || strlen(copy) > most) {
		int err = sl_parse_error(p, pos,
					 "%s has 1 to %zu bytes, this has %zu",
					 what, most, strlen(copy));
		free(copy);
		return err;
	}
	*word = copy;
	sl_parse_next(p);
	return 0;
}

int sl_parse_name(struct sl_parser *p, const char *what, char **name)
{
	return parse_word(p, what, SL_NAME_BYTES - 1, name);
}

int sl_parse_path(struct sl_parser *p, const char *what, char **path)
{
	return parse_word(p, what, 4095, path); /* PATH_MAX less the NUL */
}

/* The characters that the kernel's dev_valid_name() refuses, too. */
int sl_parse_interface_name(struct sl_parser *p, char **name)
{
	struct sl_pos pos = p->token.pos;
	char *word;
	int err = parse_word(p, "an interface name", IFNAMSIZ - 1, &word);

	if (err)
		return err;
	/* parse_word() wrote it, or there was an error. */
	/* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage) */
	if (strpbrk(word, "/: ") || !strcmp(word, ".") || !strcmp(word, "..")) {
		err = sl_parse_error(p, pos, "%s cannot be an interface name",
				     word);
		free(word);
		return err;
	}
	*name = word;
	return 0;
}

int sl_parse_number(struct sl_parser *p, const char *what, uint64_t low,
		    uint64_t high, uint64_t *value)
{
	uint64_t v = 0;
	int err;

	if (p->token.kind != SL_TOKEN_WORD)
		return sl_parse_expected(p, what);
	err = sl_number_parse(p->token.text, p->token.length, &v);
	if (err == -EINVAL)
		return sl_parse_expected(p, what);
	if (err || v < low || v > high)
		return sl_parse_error(p, p->token.pos,
				      "expected %s from %" PRIu64
				      " to %" PRIu64,
				      what, low, high);
	*value = v;
	sl_parse_next(p);
	return 0;
}

int sl_parse_number32(struct sl_parser *p, const char *what, uint32_t low,
		      uint32_t high, uint32_t *value)
{
	uint64_t v = 0;
	int err = sl_parse_number(p, what, low, high, &v);

	if (!err)
		*value = (uint32_t)v;
	return err;
}

int sl_parse_range(struct sl_parser *p, const char *what, uint32_t most,
		   uint32_t *low, uint32_t *high)
{
	const struct sl_token *t = &p->token;
	uint64_t a = 0, b = 0;
	const char *dash;
	size_t n;
	int err;

	if (t->kind != SL_TOKEN_WORD)
		return sl_parse_expected(p, what);
	dash = memchr(t->text, '-', t->length);
	n = dash ? (size_t)(dash - t->text) : t->length;
	err = sl_number_parse(t->text, n, &a);
	b = a;
	if (!err && dash)
		err = sl_number_parse(dash + 1, t->length - n - 1, &b);
	if (err == -EINVAL)
		return sl_parse_expected(p, what);
	if (err || a > most || b > most)
		return sl_parse_error(p, t->pos, "expected %s, up to %" PRIu32,
				      what, most);
	if (a > b)
		return sl_parse_error(p, t->pos,
				      "the range %" PRIu64 "-%" PRIu64
				      " is upside down: write %" PRIu64
				      "-%" PRIu64,
				      a, b, b, a);
	*low = (uint32_t)a;
	*high = (uint32_t)b;
	sl_parse_next(p);
	return 0;
}

/* What the three readers of quantities have in common, behind the reading. */
static int quantity(struct sl_parser *p, int err, bool in_range,
		    const char *what)
{
	if (p->token.kind != SL_TOKEN_WORD || err == -EINVAL)
		return sl_parse_expected(p, what);
	if (err || !in_range)
		return sl_parse_error(p, p->token.pos,
				      "out of range: expected %s", what);
	sl_parse_next(p);
	return 0;
}

int sl_parse_duration(struct sl_parser *p, uint64_t most_ns, uint64_t *ns)
{
	char most[SL_QUANTITY_TEXT], what[2 * SL_QUANTITY_TEXT + 64];
	uint64_t v = 0;
	int err = sl_duration_parse(p->token.text, p->token.length, &v);

	sl_duration_format(most_ns, most);
	snprintf(what, sizeof(what),
		 "a duration (such as 30s or 200us) from 1ns to %s", most);
	err = quantity(p, err, v && v <= most_ns, what);
	if (!err)
		*ns = v;
	return err;
}

int sl_parse_size(struct sl_parser *p, uint64_t *bytes)
{
	uint64_t v = 0;
	int err = sl_size_parse(p->token.text, p->token.length, &v);

	err = quantity(
		p, err, v,
		"a size in bytes of at least 1, or in K, M or G (such as 64M)");
	if (!err)
		*bytes = v;
	return err;
}

int sl_parse_rate(struct sl_parser *p, struct sl_rate *rate)
{
	struct sl_rate r = { 0 };
	int err = sl_rate_parse(p->token.text, p->token.length, &r);

	err = quantity(p, err, r.value,
		       "a rate of at least 1 (such as 1kpps or 10Mbps)");
	if (!err)
		*rate = r;
	return err;
}

int sl_parse_prefix(struct sl_parser *p, struct sl_prefix *prefix)
{
	const struct sl_token *t = &p->token;
	char taken[SL_ADDRESS_TEXT];
	const char *wrong;
	bool host_bits;

	if (t->kind != SL_TOKEN_WORD)
		return sl_parse_expected(p, "an address or prefix");
	wrong = sl_prefix_parse(t->text, t->length, prefix, &host_bits);
	if (wrong) {
		char what[96];

		snprintf(what, sizeof(what),
			 "an IPv4 or IPv6 address or prefix (this is %s)",
			 wrong);
		return sl_parse_expected(p, what);
	}
	if (host_bits) {
		sl_prefix_format(prefix, taken);
		sl_parse_warn(p, t->pos,
			      "%.*s has host bits set: it is taken as %s",
			      (int)t->length, t->text, taken);
	}
	sl_parse_next(p);
	return 0;
}

int sl_parse_once(struct sl_parser *p, unsigned *seen, unsigned bit,
		  const char *what)
{
	if (*seen & bit)
		return sl_parse_error(p, p->token.pos, "%s is given twice",
				      what);
	*seen |= bit;
	return 0;
}
