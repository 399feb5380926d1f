/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A small world of packets for test_shadow.c: each dimension has the few values
 * that its rules can tell apart, and a packet is any combination that
 * docs/packet-semantics.md allows; and what a rule says of such a packet, by
 * the letter. For one file: the functions are static.
 */
#ifndef SLUICE_TEST_SHADOW_WORLD_H
#define SLUICE_TEST_SHADOW_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/config.h"

enum dim {
	KIND,
	SRC,
	DST,
	LIVE, /* bit n: the source is in live set n */
	FLAGS,
	ICMP,
	FRAGMENT,
	DSCP,
	ETHERTYPE,
	VLAN,
	INNER,
	LENGTH,
	MAC,
	SPORT,
	DPORT,
	DIMS
};

enum kind {
	NOT_IP,
	TCP4,
	UDP4,
	ICMP4,
	GRE4,
	TCP6,
	UDP6,
	ICMP6,
	GRE6,
	UNREAD6,
	KINDS
};

#define NONE 0x10000u

static const struct {
	int family, proto;
} kinds[KINDS] = { { 0, -1 }, { 4, 6 },	 { 4, 17 }, { 4, 1 },  { 4, 47 },
		   { 6, 6 },  { 6, 17 }, { 6, 58 }, { 6, 47 }, { 6, -1 } };

/* The values of each dimension: one of each run that no rule divides. */
static const struct {
	unsigned n;
	uint32_t values[KINDS];
} world[DIMS] = {
	[KIND] = { KINDS, { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 } },
	[SRC] = { 4, { 0, 1, 2, 3 } }, /* the first two bits */
	[DST] = { 4, { 0, 1, 2, 3 } },
	[LIVE] = { 4, { 0, 1, 2, 3 } },
	[FLAGS] = { 5, { 0, 1, 2, 3, NONE } },
	[ICMP] = { 5, { 0, 1, 0x300, 0x301, NONE } },
	[FRAGMENT] = { 4, { 0, 1, 2, NONE } },
	[DSCP] = { 4, { 0, 1, 2, NONE } },
	[ETHERTYPE] = { 4, { 0x0800, 0x86dd, 0x0806, NONE } },
	[VLAN] = { 4, { 5, 6, 7, NONE } },
	[INNER] = { 4, { 5, 6, 7, NONE } },
	[LENGTH] = { 7, { 20, 25, 30, 40, 60, 65535, NONE } },
	[MAC] = { 5, { 1, 2, 3, 4, NONE } },
	[SPORT] = { 4, { 50, 80, 1000, NONE } },
	[DPORT] = { 4, { 50, 80, 1000, NONE } },
};

/* Where a list does not use a dimension: a value that fits the others. */
static void settle(uint32_t p[DIMS], uint32_t used)
{
	bool ip = kinds[p[KIND]].family;
	bool bare = (used & 1u << ETHERTYPE && p[ETHERTYPE] == NONE) ||
		    (used & 1u << MAC && p[MAC] == NONE);
	const uint32_t fit[DIMS] = {
		[FLAGS] = NONE,
		[ICMP] = NONE,
		[FRAGMENT] = ip && p[KIND] != UNREAD6 ? 0 : NONE,
		[DSCP] = ip ? 0 : NONE,
		[ETHERTYPE] = bare			 ? NONE :
			      !ip			 ? 0x0806 :
			      kinds[p[KIND]].family == 4 ? 0x0800 :
							   0x86dd,
		[VLAN] = used & 1u << INNER && p[INNER] != NONE ? 5 : NONE,
		[INNER] = NONE,
		[LENGTH] = ip ? 60 : NONE,
		[MAC] = bare ? NONE : 1,
		[SPORT] = NONE,
		[DPORT] = NONE,
	};

	for (enum dim d = SRC; d < DIMS; d++)
		if (!(used & 1u << d))
			p[d] = fit[d];
	/* Ports come together. */
	if (used & 1u << FLAGS && p[FLAGS] != NONE) {
		p[SPORT] = used & 1u << SPORT ? p[SPORT] : 50;
		p[DPORT] = used & 1u << DPORT ? p[DPORT] : 50;
	}
	if (!(used & 1u << SPORT) && p[DPORT] != NONE)
		p[SPORT] = 50;
	if (!(used & 1u << DPORT) && p[SPORT] != NONE)
		p[DPORT] = 50;
}

static bool exists(const uint32_t p[DIMS])
{
	int family = kinds[p[KIND]].family, proto = kinds[p[KIND]].proto;
	bool ported = proto == 6 || proto == 17;
	bool later = p[FRAGMENT] == 2;

	if (family && p[ETHERTYPE] != (family == 4 ? 0x0800u : 0x86ddu))
		return false;
	if ((p[ETHERTYPE] == NONE) != (p[MAC] == NONE))
		return false;
	if (p[MAC] == NONE && p[VLAN] != NONE)
		return false;
	if (p[INNER] != NONE && p[VLAN] == NONE)
		return false;
	if ((proto < 0) != (p[FRAGMENT] == NONE))
		return false;
	if (!family != (p[DSCP] == NONE) || !family != (p[LENGTH] == NONE))
		return false;
	if (family == 6 && p[LENGTH] < 40)
		return false;
	if (!family && p[LIVE])
		return false;
	if ((p[SPORT] == NONE) != (p[DPORT] == NONE))
		return false;
	if (p[SPORT] != NONE && (!ported || later))
		return false;
	if (p[FLAGS] != NONE && (proto != 6 || p[SPORT] == NONE))
		return false;
	return p[ICMP] == NONE || ((proto == 1 || proto == 58) && !later);
}

static bool in_prefixes(const struct sl_prefix *prefixes, size_t n, int family,
			uint32_t value)
{
	for (size_t i = 0; i < n; i++)
		if (prefixes[i].family == family &&
		    (prefixes[i].addr[0] ^ value << 6) >>
				    (8 - prefixes[i].length) ==
			    0)
			return true;
	return false;
}

static bool addr_holds(const struct sl_addr *a, const uint32_t p[DIMS],
		       enum dim d)
{
	int family = kinds[p[KIND]].family;
	bool in;

	if (a->kind == SL_ADDR_ANY)
		return true;
	if (!family)
		return false;
	if (a->kind == SL_ADDR_PREFIXES)
		in = in_prefixes(a->prefixes, a->n_prefixes, family, p[d]);
	else if (a->set->live)
		in = p[LIVE] & 1u << a->set->max; /* which one: see below */
	else
		in = in_prefixes(a->set->prefixes, a->set->n_prefixes, family,
				 p[d]);
	return in != a->negated;
}

static bool ports_hold(const struct sl_ports *ports, uint32_t port)
{
	if (ports->any)
		return true;
	for (size_t i = 0; i < ports->n_ranges; i++)
		if (port >= ports->ranges[i].low &&
		    port <= ports->ranges[i].high)
			return true;
	return false;
}

static bool proto_holds(const struct sl_rule *r, enum kind kind)
{
	int family = kinds[kind].family, proto = kinds[kind].proto;

	switch (r->proto) {
	case SL_PROTO_ANY:
		return true;
	case SL_PROTO_IP:
		return family == 4;
	case SL_PROTO_IP6:
		return family == 6;
	case SL_PROTO_TCP:
		return proto == 6;
	case SL_PROTO_UDP:
		return proto == 17;
	case SL_PROTO_ICMP:
		return proto == 1;
	case SL_PROTO_ICMP6:
		return proto == 58;
	default:
		return family && proto == r->proto_number;
	}
}

static bool fragment_holds(enum sl_fragment wanted, uint32_t fragment)
{
	switch (wanted) {
	case SL_FRAG_NO:
		return fragment == 0;
	case SL_FRAG_FIRST:
		return fragment == 1;
	case SL_FRAG_LATER:
		return fragment == 2;
	default:
		return fragment == 1 || fragment == 2;
	}
}

static bool mac_holds(const struct sl_mac_match *m, uint32_t mac)
{
	bool in = false;

	for (size_t i = 0; i < m->set->n_macs; i++)
		in |= m->set->macs[i].addr[5] == mac;
	return mac != NONE && in != m->negated;
}

static bool options_hold(const struct sl_options *o, const uint32_t p[DIMS])
{
	uint32_t w = o->written;
	uint32_t icmp = (uint32_t)o->icmp_type << 8 | o->icmp_code;

	if (w & SL_OPT_FLAGS &&
	    (p[FLAGS] == NONE || (p[FLAGS] & o->flags_mask) != o->flags_value))
		return false;
	if (w & SL_OPT_ICMP_TYPE && p[ICMP] >> 8 != o->icmp_type)
		return false;
	if (w & SL_OPT_ICMP_CODE && p[ICMP] != icmp)
		return false;
	if (w & SL_OPT_LENGTH &&
	    (p[LENGTH] < o->length_low || p[LENGTH] > o->length_high))
		return false;
	if (w & SL_OPT_FRAGMENT && !fragment_holds(o->fragment, p[FRAGMENT]))
		return false;
	return !((w & SL_OPT_DSCP && p[DSCP] != o->dscp) ||
		 (w & SL_OPT_VLAN && p[VLAN] != o->vlan) ||
		 (w & SL_OPT_INNER_VLAN && p[INNER] != o->inner_vlan) ||
		 (w & SL_OPT_ETHERTYPE && p[ETHERTYPE] != o->ethertype) ||
		 (w & SL_OPT_MAC_SRC && !mac_holds(&o->mac_src, p[MAC])));
}

static bool matches(const struct sl_rule *r, const uint32_t p[DIMS])
{
	return proto_holds(r, p[KIND]) && addr_holds(&r->src, p, SRC) &&
	       addr_holds(&r->dst, p, DST) && ports_hold(&r->sport, p[SPORT]) &&
	       ports_hold(&r->dport, p[DPORT]) && options_hold(&r->options, p);
}

#endif /* SLUICE_TEST_SHADOW_WORLD_H */
