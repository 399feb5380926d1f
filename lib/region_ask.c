// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* What is written in a rule, as sets of values. */
#include "region.h"

#include <errno.h>
#include <stdlib.h>

#include "array.h"
#include "config.h"
#include "sluice/abi.h"

#define MAC_BYTES 6
#define IP6_LAST (~(sl_address)0)

static int put_one(struct sl_region_maker *m, sl_address low, sl_address high,
		   struct sl_span *out)
{
	struct sl_interval *item = sl_span_room(&m->pool, 1);

	if (!item)
		return -ENOMEM;
	*item = (struct sl_interval){ low, high };
	*out = (struct sl_span){ item, 1 };
	return 0;
}

/* As segments.c has it: IPv4 in the top 32 bits. */
static struct sl_interval interval_of(const struct sl_prefix *prefix)
{
	sl_address first = 0, rest;

	for (int i = 0; i < 16; i++)
		first = first << 8 |
			(i < (prefix->family == 4 ? 4 : 16) ? prefix->addr[i] :
							      0);
	rest = prefix->length < 128 ? IP6_LAST >> prefix->length : 0;
	return (struct sl_interval){ first, first | rest };
}

static int put_prefixes(struct sl_region_maker *m, const struct sl_addr *a,
			enum sl_dimension d, struct sl_span *out)
{
	bool named = a->kind == SL_ADDR_SET;
	const struct sl_prefix *prefixes = named ? a->set->prefixes :
						   a->prefixes;
	size_t n_prefixes = named ? a->set->n_prefixes : a->n_prefixes, n = 0;
	int family = d == SL_DIM_SRC4 || d == SL_DIM_DST4 ? 4 : 6;
	struct sl_interval *items = sl_span_room(&m->pool, n_prefixes);

	if (!items)
		return -ENOMEM;
	for (size_t i = 0; i < n_prefixes; i++)
		if (prefixes[i].family == family)
			items[n++] = interval_of(&prefixes[i]);
	*out = sl_span_of(items, n);
	if (!a->negated)
		return 0;
	return sl_span_invert(&m->pool, *out, IP6_LAST, out);
}

static int put_macs(struct sl_region_maker *m, const struct sl_mac_match *match,
		    struct sl_span *out)
{
	const struct sl_set *set = match->set;
	struct sl_interval *items = sl_span_room(&m->pool, set->n_macs);

	if (!items)
		return -ENOMEM;
	for (size_t i = 0; i < set->n_macs; i++) {
		sl_address mac = 0;

		for (int byte = 0; byte < MAC_BYTES; byte++)
			mac = mac << 8 | set->macs[i].addr[byte];
		items[i] = (struct sl_interval){ mac, mac };
	}
	*out = sl_span_of(items, set->n_macs);
	if (!match->negated)
		return 0;
	return sl_span_invert(&m->pool, *out, SL_REGION_MAC_LAST, out);
}

/* Source and destination of a family share what a set comes to. */
static struct sl_region_set *find_set(const struct sl_region_maker *m,
				      const void *set, enum sl_dimension d,
				      bool negated)
{
	for (size_t i = 0; i < m->n_sets; i++)
		if (m->sets[i].set == set && m->sets[i].dimension == d &&
		    m->sets[i].negated == negated)
			return &m->sets[i];
	return NULL;
}

static int keep_set(struct sl_region_maker *m, const void *set,
		    enum sl_dimension d, bool negated, struct sl_span span)
{
	struct sl_region_set *sets =
		sl_array_room(m->sets, m->n_sets, sizeof(*sets));

	if (!sets)
		return -ENOMEM;
	m->sets = sets;
	sets[m->n_sets++] = (struct sl_region_set){ set, d, negated, span };
	return 0;
}

static int ask_address(struct sl_region_maker *m, const struct sl_addr *a,
		       enum sl_dimension d, struct sl_span *out)
{
	struct sl_region_set *known;
	enum sl_dimension family = d == SL_DIM_DST4 ? SL_DIM_SRC4 :
				   d == SL_DIM_DST6 ? SL_DIM_SRC6 :
						      d;
	int err;

	if (a->kind == SL_ADDR_ANY || (a->kind == SL_ADDR_SET && a->set->live))
		return 0;
	if (a->kind == SL_ADDR_PREFIXES)
		return put_prefixes(m, a, d, out);
	known = find_set(m, a->set, family, a->negated);
	if (known) {
		*out = known->span;
		return 0;
	}
	err = put_prefixes(m, a, d, out);
	return err ? err : keep_set(m, a->set, family, a->negated, *out);
}

static int ask_mac(struct sl_region_maker *m, const struct sl_mac_match *match,
		   struct sl_span *out)
{
	struct sl_region_set *known =
		find_set(m, match->set, SL_DIM_MAC_SRC, match->negated);
	int err;

	if (known) {
		*out = known->span;
		return 0;
	}
	err = put_macs(m, match, out);
	return err ? err :
		     keep_set(m, match->set, SL_DIM_MAC_SRC, match->negated,
			      *out);
}

static int ask_ports(struct sl_region_maker *m, const struct sl_ports *ports,
		     struct sl_span *out)
{
	struct sl_interval *items;

	if (ports->any)
		return 0;
	items = sl_span_room(&m->pool, ports->n_ranges);
	if (!items)
		return -ENOMEM;
	for (size_t i = 0; i < ports->n_ranges; i++)
		items[i] = (struct sl_interval){ ports->ranges[i].low,
						 ports->ranges[i].high };
	*out = sl_span_of(items, ports->n_ranges);
	return 0;
}

static int ask_flags(struct sl_region_maker *m, const struct sl_options *o,
		     struct sl_span *out)
{
	struct sl_interval *items = sl_span_room(&m->pool, SL_FLAGS_NONE);
	size_t n = 0;

	if (!items)
		return -ENOMEM;
	for (unsigned value = 0; value < SL_FLAGS_NONE; value++)
		if ((value & o->flags_mask) == o->flags_value)
			items[n++] = (struct sl_interval){ value, value };
	*out = sl_span_of(items, n);
	return 0;
}

static int ask_fragment(struct sl_region_maker *m, enum sl_fragment fragment,
			struct sl_span *out)
{
	static const struct sl_interval values[] = {
		[SL_FRAG_ANY] = { SL_FRAGMENT_NO, SL_FRAGMENT_LATER },
		[SL_FRAG_FIRST] = { SL_FRAGMENT_FIRST, SL_FRAGMENT_FIRST },
		[SL_FRAG_LATER] = { SL_FRAGMENT_LATER, SL_FRAGMENT_LATER },
		[SL_FRAG_YES] = { SL_FRAGMENT_FIRST, SL_FRAGMENT_LATER },
		[SL_FRAG_NO] = { SL_FRAGMENT_NO, SL_FRAGMENT_NO },
	};

	return put_one(m, values[fragment].low, values[fragment].high, out);
}

/* A longer packet counts as one of SL_LENGTH_MAX. */
static sl_address length_of(uint32_t bytes)
{
	return bytes < SL_LENGTH_MAX ? bytes : SL_LENGTH_MAX;
}

static int ask_icmp(struct sl_region_maker *m, const struct sl_options *o,
		    struct sl_span *out)
{
	sl_address type = (sl_address)o->icmp_type << 8;

	if (o->written & SL_OPT_ICMP_CODE)
		return put_one(m, type | o->icmp_code, type | o->icmp_code,
			       out);
	return put_one(m, type, type | 255, out);
}

static int ask_options(struct sl_region_maker *m, const struct sl_options *o,
		       struct sl_span asks[SL_DIM_COUNT])
{
	const struct {
		uint32_t option;
		enum sl_dimension d;
		sl_address low, high;
	} numbers[] = {
		{ SL_OPT_DSCP, SL_DIM_DSCP, o->dscp, o->dscp },
		{ SL_OPT_ETHERTYPE, SL_DIM_ETHERTYPE, o->ethertype,
		  o->ethertype },
		{ SL_OPT_VLAN, SL_DIM_VLAN, o->vlan, o->vlan },
		{ SL_OPT_INNER_VLAN, SL_DIM_INNER_VLAN, o->inner_vlan,
		  o->inner_vlan },
		{ SL_OPT_LENGTH, SL_DIM_LENGTH, length_of(o->length_low),
		  length_of(o->length_high) },
	};
	int err = 0;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers) && !err; i++)
		if (o->written & numbers[i].option)
			err = put_one(m, numbers[i].low, numbers[i].high,
				      &asks[numbers[i].d]);
	if (!err && o->written & SL_OPT_FLAGS)
		err = ask_flags(m, o, &asks[SL_DIM_FLAGS]);
	if (!err && o->written & SL_OPT_ICMP_TYPE)
		err = ask_icmp(m, o, &asks[SL_DIM_ICMP]);
	if (!err && o->written & SL_OPT_FRAGMENT)
		err = ask_fragment(m, o->fragment, &asks[SL_DIM_FRAGMENT]);
	if (!err && o->written & SL_OPT_MAC_SRC)
		err = ask_mac(m, &o->mac_src, &asks[SL_DIM_MAC_SRC]);
	if (!err && o->written & SL_OPT_MAC_DST)
		err = ask_mac(m, &o->mac_dst, &asks[SL_DIM_MAC_DST]);
	return err;
}

int sl_region_ask(struct sl_region_maker *m, const struct sl_rule *rule,
		  struct sl_span asks[SL_DIM_COUNT])
{
	int err = ask_address(m, &rule->src, SL_DIM_SRC4, &asks[SL_DIM_SRC4]);

	if (!err)
		err = ask_address(m, &rule->src, SL_DIM_SRC6,
				  &asks[SL_DIM_SRC6]);
	if (!err)
		err = ask_address(m, &rule->dst, SL_DIM_DST4,
				  &asks[SL_DIM_DST4]);
	if (!err)
		err = ask_address(m, &rule->dst, SL_DIM_DST6,
				  &asks[SL_DIM_DST6]);
	if (!err)
		err = ask_ports(m, &rule->sport, &asks[SL_DIM_SPORT]);
	if (!err)
		err = ask_ports(m, &rule->dport, &asks[SL_DIM_DPORT]);
	return err ? err : ask_options(m, &rule->options, asks);
}
