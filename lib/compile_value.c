// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* The fields that are numbers: every condition is a few ranges of values. */
#include "compiler.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "ranges.h"

/* Up to this many values are one array, of 32 KiB at most; more are paged. */
#define FLAT_VALUES 8192

/* Ranges of one rule and field; `out` may be NULL, to count them. */
struct emit {
	struct sl_range *out;
	size_t n;
	size_t rule;
};

static void emit(struct emit *e, uint32_t low, uint32_t high)
{
	if (e->out)
		e->out[e->n] = (struct sl_range){ low, high, e->rule };
	e->n++;
}

/* A protocol in one family or, with family 0, in both. */
static void emit_proto(struct emit *e, unsigned family, unsigned proto)
{
	for (unsigned f = SL_FAMILY_IP4; f <= SL_FAMILY_IP6; f++)
		if (!family || family == f)
			emit(e, f * SL_KIND_FAMILY + proto,
			     f * SL_KIND_FAMILY + proto);
}

static void emit_family(struct emit *e, unsigned family)
{
	emit(e, family * SL_KIND_FAMILY,
	     family * SL_KIND_FAMILY + SL_KIND_FAMILY - 1);
}

static void emit_kinds(struct emit *e, const struct sl_rule *rule)
{
	switch (rule->proto) {
	case SL_PROTO_ANY:
		break;
	case SL_PROTO_IP:
		emit_family(e, SL_FAMILY_IP4);
		break;
	case SL_PROTO_IP6:
		emit_family(e, SL_FAMILY_IP6);
		break;
	case SL_PROTO_TCP:
		emit_proto(e, 0, IPPROTO_TCP);
		break;
	case SL_PROTO_UDP:
		emit_proto(e, 0, IPPROTO_UDP);
		break;
	case SL_PROTO_SCTP:
		emit_proto(e, 0, IPPROTO_SCTP);
		break;
	case SL_PROTO_ICMP:
		emit_proto(e, SL_FAMILY_IP4, IPPROTO_ICMP);
		break;
	case SL_PROTO_ICMP6:
		emit_proto(e, SL_FAMILY_IP6, IPPROTO_ICMPV6);
		break;
	case SL_PROTO_NUMBER:
		emit_proto(e, 0, rule->proto_number);
		break;
	}
}

/* The runs of values that agree with the mask. */
static void emit_flags(struct emit *e, const struct sl_options *o)
{
	uint32_t value = 0;

	while (value < SL_FLAGS_NONE) {
		uint32_t low = value;

		while (value < SL_FLAGS_NONE &&
		       (value & o->flags_mask) == o->flags_value)
			value++;
		if (value > low)
			emit(e, low, value - 1);
		else
			value++;
	}
}

static void emit_fragment(struct emit *e, enum sl_fragment fragment)
{
	switch (fragment) {
	case SL_FRAG_FIRST:
		emit(e, SL_FRAGMENT_FIRST, SL_FRAGMENT_FIRST);
		break;
	case SL_FRAG_LATER:
		emit(e, SL_FRAGMENT_LATER, SL_FRAGMENT_LATER);
		break;
	case SL_FRAG_YES:
		emit(e, SL_FRAGMENT_FIRST, SL_FRAGMENT_LATER);
		break;
	case SL_FRAG_NO:
		emit(e, SL_FRAGMENT_NO, SL_FRAGMENT_NO);
		break;
	case SL_FRAG_ANY:
		break;
	}
}

static void emit_icmp(struct emit *e, const struct sl_options *o)
{
	uint32_t type = (uint32_t)o->icmp_type << 8;

	if (o->written & SL_OPT_ICMP_CODE)
		emit(e, type | o->icmp_code, type | o->icmp_code);
	else
		emit(e, type, type | 255);
}

/* A longer packet than SL_LENGTH_MAX counts as one of SL_LENGTH_MAX. */
static void emit_length(struct emit *e, const struct sl_options *o)
{
	uint32_t low = o->length_low, high = o->length_high;

	emit(e, low < SL_LENGTH_MAX ? low : SL_LENGTH_MAX,
	     high < SL_LENGTH_MAX ? high : SL_LENGTH_MAX);
}

static void emit_ports(struct emit *e, const struct sl_ports *ports)
{
	for (size_t r = 0; r < ports->n_ranges; r++)
		emit(e, ports->ranges[r].low, ports->ranges[r].high);
}

static void emit_rule(struct emit *e, const struct sl_rule *rule,
		      enum sl_field field)
{
	const struct sl_options *o = &rule->options;

	switch (field) {
	case SL_FIELD_KIND:
		emit_kinds(e, rule);
		break;
	case SL_FIELD_FLAGS:
		emit_flags(e, o);
		break;
	case SL_FIELD_ICMP:
		emit_icmp(e, o);
		break;
	case SL_FIELD_FRAGMENT:
		emit_fragment(e, o->fragment);
		break;
	case SL_FIELD_LIVE:
		emit(e, 1, 1);
		break;
	case SL_FIELD_DSCP:
		emit(e, o->dscp, o->dscp);
		break;
	case SL_FIELD_ETHERTYPE:
		emit(e, o->ethertype, o->ethertype);
		break;
	case SL_FIELD_VLAN:
		emit(e, o->vlan, o->vlan);
		break;
	case SL_FIELD_INNER_VLAN:
		emit(e, o->inner_vlan, o->inner_vlan);
		break;
	case SL_FIELD_LENGTH:
		emit_length(e, o);
		break;
	case SL_FIELD_SPORT:
		emit_ports(e, &rule->sport);
		break;
	default:
		emit_ports(e, &rule->dport);
		break;
	}
}

static size_t emit_all(const struct sl_compiler *c, enum sl_field field,
		       struct sl_range *out)
{
	struct emit e = { .out = out };

	for (size_t i = 0; i < c->out->n_rules; i++) {
		e.rule = i;
		if (sl_rule_asks(c->out->rules[i].rule, field))
			emit_rule(&e, c->out->rules[i].rule, field);
	}
	return e.n;
}

/* How many values there are, with the one for "not there" where it is one. */
static uint32_t values_of(enum sl_field field)
{
	switch (field) {
	case SL_FIELD_KIND:
		return SL_FAMILY_COUNT * SL_KIND_FAMILY;
	case SL_FIELD_FLAGS:
		return SL_FLAGS_NONE + 1;
	case SL_FIELD_FRAGMENT:
		return SL_FRAGMENT_NONE + 1;
	case SL_FIELD_LIVE:
		return 2;
	case SL_FIELD_DSCP:
		return SL_DSCP_NONE + 1;
	case SL_FIELD_VLAN:
	case SL_FIELD_INNER_VLAN:
		return SL_VLAN_NONE + 1;
	default:
		return SL_FIELD_VALUES;
	}
}

/* The page number of each block of 256 values; equal pages are kept once. */
static int put_pages(struct sl_compiler *c, enum sl_field field, uint32_t *map)
{
	uint16_t pages[256];
	size_t n_pages = 0;
	int err;

	for (size_t block = 0; block < 256; block++) {
		const uint32_t *page = map + block * 256;
		size_t p = 0;

		while (p < n_pages &&
		       memcmp(map + p * 256, page, 256 * sizeof(*page)) != 0)
			p++;
		if (p == n_pages)
			memmove(map + n_pages++ * (size_t)256, page,
				256 * sizeof(*page));
		pages[block] = (uint16_t)p;
	}
	err = sl_compiler_put(c, pages, sizeof(pages),
			      &c->out->gen.field[field].pages);
	if (err)
		return err;
	return sl_compiler_put(c, map, n_pages * 256 * sizeof(*map),
			       &c->out->gen.field[field].classes);
}

int sl_compile_value(struct sl_compiler *c, enum sl_field field,
		     struct sl_classes *classes)
{
	uint32_t n_values = values_of(field);
	size_t n = emit_all(c, field, NULL);
	struct sl_range *ranges = calloc(n + 1, sizeof(*ranges));
	uint32_t *map = calloc(n_values, sizeof(*map));
	int64_t none = sl_classes_add(classes, c->base);
	int err = -ENOMEM;

	if (!ranges || !map || none < 0)
		goto out;
	c->out->gen.field[field].none = (uint32_t)none;
	emit_all(c, field, ranges);
	err = sl_ranges_map(ranges, n, n_values, c->base, classes, map);
	if (err)
		goto out;
	if (n_values <= FLAT_VALUES)
		err = sl_compiler_put(c, map, n_values * sizeof(*map),
				      &c->out->gen.field[field].classes);
	else
		err = put_pages(c, field, map);
out:
	free(ranges);
	free(map);
	return err;
}
