/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include "parse.h"

#include <stdlib.h>
#include <string.h>

#include "keyword.h"
#include "quantity.h"

#define LENGTH_MAX 65535 /* SL_LENGTH_MAX: no frame here carries more */
#define FLAGS_TEXT 128	 /* all eight names, twice, have 63 bytes */
#define EXPIRES_MAX_NS (UINT64_C(36500) * 86400 * 1000000000)

#define BIT(option) ((unsigned)__builtin_ctz(option))

/* "syn,ack" or a number, to bits. */
static int flag_bits(const char *text, size_t length, uint8_t *bits)
{
	uint64_t number = 0;
	uint8_t value = 0;

	if (!sl_number_parse(text, length, &number) && number <= 0xff) {
		*bits = (uint8_t)number;
		return 0;
	}
	while (length) {
		const char *comma = memchr(text, ',', length);
		size_t n = comma ? (size_t)(comma - text) : length;
		unsigned bit = 0;

		while (sl_flag_words[bit] &&
		       (strlen(sl_flag_words[bit]) != n ||
			memcmp(sl_flag_words[bit], text, n)))
			bit++;
		if (!sl_flag_words[bit])
			return -1;
		value |= (uint8_t)(1u << bit);
		text += n;
		length -= n;
		if (comma && !--length)
			return -1; /* nothing behind the comma */
		text += comma != NULL;
	}
	*bits = value;
	return value ? 0 : -1;
}

/* Commas are tokens of their own: puts VALUE/MASK together again. */
static bool gather_flags(struct sl_parser *p, char text[FLAGS_TEXT])
{
	size_t used = 0;

	for (;;) {
		if (p->token.kind != SL_TOKEN_WORD ||
		    p->token.length + 2 > FLAGS_TEXT - used)
			return false;
		memcpy(text + used, p->token.text, p->token.length);
		used += p->token.length;
		sl_parse_next(p);
		if (p->token.kind != SL_TOKEN_COMMA)
			break;
		text[used++] = ',';
		sl_parse_next(p);
	}
	text[used] = '\0';
	return true;
}

static int parse_flags(struct sl_parser *p, struct sl_options *o)
{
	static const char what[] =
		"expected TCP flags as VALUE/MASK, such as syn/syn,ack (fin, syn, rst, psh, ack, urg, ece, cwr, or numbers up to 255)";
	struct sl_pos pos = p->token.pos;
	char text[FLAGS_TEXT];
	const char *slash;

	if (!gather_flags(p, text))
		return sl_parse_error(p, pos, "%s", what);
	slash = strchr(text, '/');
	if (!slash ||
	    flag_bits(text, (size_t)(slash - text), &o->flags_value) ||
	    flag_bits(slash + 1, strlen(slash + 1), &o->flags_mask))
		return sl_parse_error(p, pos, "%s", what);
	if (o->flags_value & ~o->flags_mask)
		return sl_parse_error(
			p, pos,
			"the value has flags that the mask leaves out: it can never match");
	return 0;
}

static int parse_icmp_type(struct sl_parser *p, struct sl_options *o)
{
	uint32_t value = 0;
	int err = sl_parse_number32(p, "an ICMP type", 0, 255, &value);

	if (err)
		return err;
	o->icmp_type = (uint8_t)value;
	if (!sl_parse_at(p, "code"))
		return 0;
	o->written |= SL_OPT_ICMP_CODE;
	o->pos[BIT(SL_OPT_ICMP_CODE)] = p->token.pos;
	sl_parse_next(p);
	err = sl_parse_number32(p, "an ICMP code", 0, 255, &value);
	o->icmp_code = (uint8_t)value;
	return err;
}

static int parse_fragment(struct sl_parser *p, struct sl_options *o)
{
	unsigned choice = 0;
	int err = sl_parse_choice(p, sl_fragment_words,
				  "first, later, yes or no", &choice);

	o->fragment = choice;
	return err;
}

static int parse_mac(struct sl_parser *p, struct sl_options *o)
{
	static const char *const words[] = { "src", "dst", NULL };
	struct sl_pos pos = p->token.pos; /* behind `mac` */
	struct sl_mac_match *match;
	unsigned choice = 0;
	uint32_t option;
	int err = sl_parse_choice(p, words, "src or dst", &choice);

	if (err)
		return err;
	option = choice ? SL_OPT_MAC_DST : SL_OPT_MAC_SRC;
	match = choice ? &o->mac_dst : &o->mac_src;
	if (o->written & option)
		return sl_parse_error(p, pos, "mac %s is given twice",
				      words[choice]);
	o->written |= option;
	o->pos[BIT(option)] = pos;
	match->negated = sl_parse_accept(p, "not");
	return sl_parse_reference(p, choice ? SL_REF_MAC_DST : SL_REF_MAC_SRC);
}

/* A number of 16 bits at most, for the option `bit`. */
static int parse_small(struct sl_parser *p, unsigned bit, struct sl_options *o)
{
	uint32_t most = 65535, value = 0;
	const char *what = "an ethertype";
	int err;

	if (bit == BIT(SL_OPT_DSCP)) {
		most = 63;
		what = "a DSCP";
	} else if (bit == BIT(SL_OPT_VLAN) || bit == BIT(SL_OPT_INNER_VLAN)) {
		most = 4095;
		what = "a VLAN id";
	}
	err = sl_parse_number32(p, what, 0, most, &value);
	if (bit == BIT(SL_OPT_DSCP))
		o->dscp = (uint8_t)value;
	else if (bit == BIT(SL_OPT_VLAN))
		o->vlan = (uint16_t)value;
	else if (bit == BIT(SL_OPT_INNER_VLAN))
		o->inner_vlan = (uint16_t)value;
	else
		o->ethertype = (uint16_t)value;
	return err;
}

static int parse_value(struct sl_parser *p, unsigned bit, struct sl_options *o)
{
	switch (1u << bit) {
	case SL_OPT_FLAGS:
		return parse_flags(p, o);
	case SL_OPT_ICMP_TYPE:
		return parse_icmp_type(p, o);
	case SL_OPT_FRAGMENT:
		return parse_fragment(p, o);
	case SL_OPT_LENGTH:
		return sl_parse_range(p, "a length in bytes or a range (N-M)",
				      LENGTH_MAX, &o->length_low,
				      &o->length_high);
	case SL_OPT_OBSERVE:
		return 0;
	case SL_OPT_EXPIRES:
		return sl_parse_duration(p, EXPIRES_MAX_NS, &o->expires_ns);
	case SL_OPT_OWNER:
		return sl_parse_name(p, "an owner", &o->owner);
	case SL_OPT_BAND:
		return sl_parse_number32(p, "a band", 0, UINT32_MAX, &o->band);
	default:
		return parse_small(p, bit, o);
	}
}

int sl_parse_options(struct sl_parser *p, struct sl_options *o)
{
	unsigned bit = 0;
	int err;

	while (sl_parse_choice_at(p, sl_option_words, &bit)) {
		struct sl_pos pos = p->token.pos;

		if (1u << bit == SL_OPT_ICMP_CODE)
			return sl_parse_error(
				p, pos,
				"a code stands behind its type: icmp-type N code N");
		if (1u << bit ==
		    SL_OPT_MAC_SRC) { /* src or dst: not known yet */
			sl_parse_next(p);
			err = parse_mac(p, o);
		} else {
			if (o->written & 1u << bit)
				return sl_parse_error(p, pos,
						      "%s is given twice",
						      sl_option_words[bit]);
			o->written |= 1u << bit;
			o->pos[bit] = pos;
			sl_parse_next(p);
			err = parse_value(p, bit, o);
		}
		if (err)
			return err;
	}
	return 0;
}
