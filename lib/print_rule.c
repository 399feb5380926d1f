/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include "print.h"

#include <inttypes.h>
#include <string.h>

#include "config.h"
#include "keyword.h"
#include "quantity.h"

/* Behind `on` and `redirect` a word of the language would be read as such. */
static void print_device(FILE *out, const char *name)
{
	if (sl_keyword_in_rule(name, strlen(name)))
		sl_print_string(out, name);
	else
		sl_print_word(out, name);
}

static void print_limit(FILE *out, const struct sl_action_spec *v)
{
	char text[SL_QUANTITY_TEXT];

	sl_rate_format(v->rate, text);
	fprintf(out, " %s", text);
	if (v->burst)
		fprintf(out, " burst %" PRIu64, v->burst);
	if (!v->per_source)
		return;
	fputs(" per source", out);
	if (v->source4_bits != 32 || v->source6_bits != 128)
		fprintf(out, " /%d", v->source4_bits);
	if (v->source6_bits != 128)
		fprintf(out, " /%d", v->source6_bits);
}

static void print_verdict(FILE *out, const struct sl_action_spec *v)
{
	fprintf(out, " %s", sl_action_words[v->action]);
	switch (v->action) {
	case SL_ACTION_REDIRECT:
		putc(' ', out);
		print_device(out, v->device);
		break;
	case SL_ACTION_FORWARD:
	case SL_ACTION_ROUTE:
		if (v->fallback_drop)
			fputs(" fallback drop", out);
		break;
	case SL_ACTION_LIMIT:
		print_limit(out, v);
		break;
	case SL_ACTION_LOG:
		if (v->sample)
			fprintf(out, " sample %" PRIu64, v->sample);
		break;
	default:
		break;
	}
}

static void print_addr(FILE *out, const char *direction,
		       const struct sl_addr *addr)
{
	size_t n = addr->n_prefixes;

	if (!addr->written)
		return;
	fprintf(out, " %s %s", direction, addr->negated ? "not " : "");
	if (addr->kind == SL_ADDR_ANY) {
		fputs("any", out);
		return;
	}
	if (addr->kind == SL_ADDR_SET) {
		putc('@', out);
		sl_print_word(out, addr->set->name);
		return;
	}
	if (n == 1) {
		sl_print_prefix(out, addr->prefixes);
		return;
	}
	sl_print_list_begin(out, n);
	for (size_t i = 0; i < n; i++) {
		sl_print_prefix(out, &addr->prefixes[i]);
		sl_print_list_next(out, i, n);
	}
}

static void print_range(FILE *out, const struct sl_port_range *range)
{
	fprintf(out, "%u", range->low);
	if (range->high != range->low)
		fprintf(out, "-%u", range->high);
}

static void print_ports(FILE *out, const struct sl_ports *ports)
{
	size_t n = ports->n_ranges;

	if (!ports->written)
		return;
	fputs(" port ", out);
	if (ports->any) {
		fputs("any", out);
		return;
	}
	if (n == 1) {
		print_range(out, ports->ranges);
		return;
	}
	sl_print_list_begin(out, n);
	for (size_t i = 0; i < n; i++) {
		print_range(out, &ports->ranges[i]);
		sl_print_list_next(out, i, n);
	}
}

static void print_flags(FILE *out, uint8_t flags)
{
	const char *separator = "";

	if (!flags)
		putc('0', out);
	for (unsigned bit = 0; bit < 8; bit++) {
		if (!(flags & 1u << bit))
			continue;
		fprintf(out, "%s%s", separator, sl_flag_words[bit]);
		separator = ",";
	}
}

static void print_mac_match(FILE *out, const char *side,
			    const struct sl_mac_match *match)
{
	fprintf(out, " %s %s@", side, match->negated ? "not " : "");
	sl_print_word(out, match->set->name);
}

static void print_option_value(FILE *out, uint32_t option,
			       const struct sl_options *o)
{
	char text[SL_QUANTITY_TEXT];

	switch (option) {
	case SL_OPT_FLAGS:
		putc(' ', out);
		print_flags(out, o->flags_value);
		putc('/', out);
		print_flags(out, o->flags_mask);
		break;
	case SL_OPT_ICMP_TYPE:
		fprintf(out, " %u", o->icmp_type);
		break;
	case SL_OPT_ICMP_CODE:
		fprintf(out, " %u", o->icmp_code);
		break;
	case SL_OPT_FRAGMENT:
		fprintf(out, " %s", sl_fragment_words[o->fragment]);
		break;
	case SL_OPT_LENGTH:
		fprintf(out, " %u", o->length_low);
		if (o->length_high != o->length_low)
			fprintf(out, "-%u", o->length_high);
		break;
	case SL_OPT_DSCP:
		fprintf(out, " %u", o->dscp);
		break;
	case SL_OPT_VLAN:
		fprintf(out, " %u", o->vlan);
		break;
	case SL_OPT_INNER_VLAN:
		fprintf(out, " %u", o->inner_vlan);
		break;
	case SL_OPT_ETHERTYPE:
		fprintf(out, " 0x%04x", o->ethertype);
		break;
	case SL_OPT_MAC_SRC:
		print_mac_match(out, "src", &o->mac_src);
		break;
	case SL_OPT_MAC_DST:
		print_mac_match(out, "dst", &o->mac_dst);
		break;
	case SL_OPT_EXPIRES:
		sl_duration_format(o->expires_ns, text);
		fprintf(out, " %s", text);
		break;
	case SL_OPT_OWNER:
		putc(' ', out);
		sl_print_word(out, o->owner);
		break;
	case SL_OPT_BAND:
		fprintf(out, " %u", o->band);
		break;
	default:
		break;
	}
}

void sl_print_rule(FILE *out, const struct sl_rule *rule)
{
	const struct sl_options *o = &rule->options;

	fputs("rule ", out);
	sl_print_word(out, rule->name);
	print_verdict(out, &rule->verdict);
	if (rule->on) {
		fputs(" on ", out);
		print_device(out, rule->on);
	}
	if (rule->proto != SL_PROTO_ANY)
		fprintf(out, " %s", sl_proto_words[rule->proto]);
	if (rule->proto == SL_PROTO_NUMBER)
		fprintf(out, " %u", rule->proto_number);
	print_addr(out, "from", &rule->src);
	print_ports(out, &rule->sport);
	print_addr(out, "to", &rule->dst);
	print_ports(out, &rule->dport);
	for (unsigned bit = 0; bit < SL_OPT_COUNT; bit++) {
		if (!(o->written & 1u << bit))
			continue;
		fprintf(out, " %s", sl_option_words[bit]);
		print_option_value(out, 1u << bit, o);
	}
	putc('\n', out);
}
