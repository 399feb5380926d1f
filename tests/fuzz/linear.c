// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "linear.h"

#include "lib/config.h"
#include "xdp/packet.h"

static bool prefix_holds(const struct sl_prefix *prefix, unsigned family,
			 const __u64 address[2])
{
	if (prefix->family != (family == SL_FAMILY_IP4 ? 4 : 6))
		return false;
	for (unsigned bit = 0; bit < prefix->length; bit++)
		if ((prefix->addr[bit / 8] >> (7 - bit % 8) & 1) !=
		    (address[bit / 64] >> (63 - bit % 64) & 1))
			return false;
	return true;
}

static bool address_holds(const struct sl_addr *a, unsigned family,
			  const __u64 address[2])
{
	const struct sl_prefix *prefixes =
		a->kind == SL_ADDR_SET ? a->set->prefixes : a->prefixes;
	size_t n = a->kind == SL_ADDR_SET ? a->set->n_prefixes : a->n_prefixes;
	bool in = false;

	if (a->kind == SL_ADDR_ANY)
		return true;
	if (family == SL_FAMILY_NONE)
		return false;
	for (size_t i = 0; i < n && !in; i++)
		in = prefix_holds(&prefixes[i], family, address);
	return in != a->negated;
}

static bool ports_hold(const struct sl_ports *ports, const struct sl_packet *p,
		       uint16_t port)
{
	if (ports->any)
		return true;
	for (size_t i = 0; p->has_ports && i < ports->n_ranges; i++)
		if (port >= ports->ranges[i].low &&
		    port <= ports->ranges[i].high)
			return true;
	return false;
}

static bool proto_holds(const struct sl_rule *r, const struct sl_packet *p)
{
	switch (r->proto) {
	case SL_PROTO_ANY:
		return true;
	case SL_PROTO_IP:
		return p->family == SL_FAMILY_IP4;
	case SL_PROTO_IP6:
		return p->family == SL_FAMILY_IP6;
	case SL_PROTO_TCP:
		return p->proto == 6;
	case SL_PROTO_UDP:
		return p->proto == 17;
	case SL_PROTO_SCTP:
		return p->proto == 132;
	case SL_PROTO_ICMP:
		return p->family == SL_FAMILY_IP4 && p->proto == 1;
	case SL_PROTO_ICMP6:
		return p->family == SL_FAMILY_IP6 && p->proto == 58;
	default:
		return p->proto == r->proto_number;
	}
}

static bool fragment_holds(enum sl_fragment fragment, const struct sl_packet *p)
{
	switch (fragment) {
	case SL_FRAG_FIRST:
		return p->fragment == SL_FRAGMENT_FIRST;
	case SL_FRAG_LATER:
		return p->fragment == SL_FRAGMENT_LATER;
	case SL_FRAG_YES:
		return p->fragment == SL_FRAGMENT_FIRST ||
		       p->fragment == SL_FRAGMENT_LATER;
	case SL_FRAG_NO:
		return p->fragment == SL_FRAGMENT_NO;
	default:
		return true;
	}
}

/* A packet of SL_LENGTH_MAX bytes may be longer: the filter does not tell. */
static bool length_holds(const struct sl_options *o, const struct sl_packet *p)
{
	if (p->family == SL_FAMILY_NONE)
		return false;
	if (p->length == SL_LENGTH_MAX)
		return o->length_high >= SL_LENGTH_MAX;
	return p->length >= o->length_low && p->length <= o->length_high;
}

static bool mac_holds(const struct sl_mac_match *match,
		      const struct sl_packet *p, __u64 mac)
{
	bool in = false;

	if (!p->has_macs)
		return false;
	for (size_t i = 0; i < match->set->n_macs && !in; i++) {
		const uint8_t *member = match->set->macs[i].addr;

		in = true;
		for (int b = 0; b < 6; b++)
			if (member[b] != (uint8_t)(mac >> (56 - b * 8)))
				in = false;
	}
	return in != match->negated;
}

static bool option_holds(const struct sl_options *o, uint32_t option,
			 const struct sl_packet *p)
{
	switch (option) {
	case SL_OPT_FLAGS:
		return p->flags != SL_FLAGS_NONE &&
		       (p->flags & o->flags_mask) == o->flags_value;
	case SL_OPT_ICMP_TYPE:
		return p->has_icmp && p->icmp_type == o->icmp_type;
	case SL_OPT_ICMP_CODE:
		return p->has_icmp && p->icmp_code == o->icmp_code;
	case SL_OPT_FRAGMENT:
		return fragment_holds(o->fragment, p);
	case SL_OPT_LENGTH:
		return length_holds(o, p);
	case SL_OPT_DSCP:
		return p->dscp == o->dscp;
	case SL_OPT_VLAN:
		return p->vlan == o->vlan;
	case SL_OPT_INNER_VLAN:
		return p->inner_vlan == o->inner_vlan;
	case SL_OPT_ETHERTYPE:
		return p->ethertype == o->ethertype;
	case SL_OPT_MAC_SRC:
		return mac_holds(&o->mac_src, p, p->mac_src);
	case SL_OPT_MAC_DST:
		return mac_holds(&o->mac_dst, p, p->mac_dst);
	default: /* what to do, not what to match */
		return true;
	}
}

bool linear_matches(const struct sl_rule *rule, const struct sl_packet *packet)
{
	const struct sl_options *o = &rule->options;

	for (uint32_t bit = 0; bit < SL_OPT_COUNT; bit++)
		if (o->written & 1u << bit &&
		    !option_holds(o, 1u << bit, packet))
			return false;
	return proto_holds(rule, packet) &&
	       address_holds(&rule->src, packet->family, packet->src) &&
	       address_holds(&rule->dst, packet->family, packet->dst) &&
	       ports_hold(&rule->sport, packet, packet->sport) &&
	       ports_hold(&rule->dport, packet, packet->dport);
}
