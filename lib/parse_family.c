/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What contradicts itself within one rule. Each part of a rule leaves some
 * kinds of packet possible (IPv4, IPv6, not IP); a rule whose parts have none
 * in common can never match. Written in the rule, that is an error; where it
 * comes from what a set holds, which changes without the rule, a warning.
 */
#include "parse.h"

#include "keyword.h"

#define KIND_IP4 1u
#define KIND_IP6 2u
#define KIND_OTHER 4u
#define KIND_IP (KIND_IP4 | KIND_IP6)
#define KIND_ALL (KIND_IP | KIND_OTHER)

#define IP_OPTIONS                                                           \
	(SL_OPT_FLAGS | SL_OPT_ICMP_TYPE | SL_OPT_FRAGMENT | SL_OPT_LENGTH | \
	 SL_OPT_DSCP)

/* An IP packet is its header at least. */
#define IP4_LENGTH_MIN 20
#define IP6_LENGTH_MIN 40

static unsigned proto_kinds(enum sl_proto proto)
{
	switch (proto) {
	case SL_PROTO_ANY:
		return KIND_ALL;
	case SL_PROTO_IP:
	case SL_PROTO_ICMP:
		return KIND_IP4;
	case SL_PROTO_IP6:
	case SL_PROTO_ICMP6:
		return KIND_IP6;
	default:
		return KIND_IP;
	}
}

static unsigned prefix_kinds(const struct sl_prefix *prefixes, size_t n)
{
	unsigned kinds = 0;

	for (size_t i = 0; i < n; i++)
		kinds |= prefixes[i].family == 6 ? KIND_IP6 : KIND_IP4;
	return kinds;
}

/* An empty set, and one whose contents change, leave both families open. */
static unsigned addr_kinds(const struct sl_addr *addr)
{
	const struct sl_set *set = addr->set;

	if (addr->kind == SL_ADDR_ANY)
		return KIND_ALL;
	if (addr->negated)
		return KIND_IP;
	if (addr->kind == SL_ADDR_PREFIXES)
		return prefix_kinds(addr->prefixes, addr->n_prefixes);
	if (!set || set->live || !set->n_prefixes)
		return KIND_IP;
	return prefix_kinds(set->prefixes, set->n_prefixes);
}

static unsigned option_kinds(const struct sl_options *o)
{
	unsigned kinds = o->written & IP_OPTIONS ? KIND_IP : KIND_ALL;

	if (!(o->written & SL_OPT_ETHERTYPE))
		return kinds;
	if (o->ethertype == 0x0800)
		return kinds & KIND_IP4;
	if (o->ethertype == 0x86dd)
		return kinds & KIND_IP6;
	return kinds & KIND_OTHER;
}

static const char *kinds_text(unsigned kinds)
{
	if (kinds == KIND_IP4)
		return "IPv4";
	if (kinds == KIND_IP6)
		return "IPv6";
	return kinds == KIND_OTHER ? "another ethertype than IP" : "IP";
}

/* Narrows *kinds by one part; false: nothing is left, and *was tells of what. */
static bool narrow(unsigned *kinds, unsigned part, unsigned *was)
{
	*was = *kinds;
	*kinds &= part;
	return *kinds;
}

struct conflict {
	const char *part;
	unsigned part_kinds, rest;
};

static bool find_conflict(const struct sl_rule *rule, struct conflict *c)
{
	const struct {
		const char *name;
		unsigned kinds;
	} parts[] = {
		{ "the protocol", proto_kinds(rule->proto) },
		{ "the source", addr_kinds(&rule->src) },
		{ "the destination", addr_kinds(&rule->dst) },
		{ "an option", option_kinds(&rule->options) },
	};
	unsigned kinds = KIND_ALL;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (narrow(&kinds, parts[i].kinds, &c->rest))
			continue;
		c->part = parts[i].name;
		c->part_kinds = parts[i].kinds;
		return true;
	}
	return false;
}

static int check_ports(struct sl_parser *p, const struct sl_rule *rule)
{
	if (rule->sport.any && rule->dport.any)
		return 0;
	if (rule->proto == SL_PROTO_TCP || rule->proto == SL_PROTO_UDP ||
	    rule->proto == SL_PROTO_SCTP)
		return 0;
	return sl_parse_error(
		p, rule->pos,
		"rule \"%s\": a port needs a protocol that has ports: write tcp, udp or sctp before from and to",
		rule->name);
}

static int check_options(struct sl_parser *p, const struct sl_rule *rule)
{
	const struct sl_options *o = &rule->options;

	if (o->written & SL_OPT_FLAGS && rule->proto != SL_PROTO_TCP)
		return sl_parse_error(
			p, o->pos[__builtin_ctz(SL_OPT_FLAGS)],
			"rule \"%s\": flags need the protocol tcp", rule->name);
	if (o->written & SL_OPT_ICMP_TYPE && rule->proto != SL_PROTO_ICMP &&
	    rule->proto != SL_PROTO_ICMP6)
		return sl_parse_error(
			p, o->pos[__builtin_ctz(SL_OPT_ICMP_TYPE)],
			"rule \"%s\": icmp-type needs the protocol icmp (IPv4) or icmp6 (IPv6)",
			rule->name);
	return 0;
}

int sl_parse_check_rule(struct sl_parser *p, const struct sl_rule *rule)
{
	struct conflict c;
	int err = check_ports(p, rule);

	if (!err)
		err = check_options(p, rule);
	if (err || !find_conflict(rule, &c))
		return err;
	return sl_parse_error(
		p, rule->pos,
		"rule \"%s\" can never match: %s wants %s, what stands before it %s",
		rule->name, c.part, kinds_text(c.part_kinds),
		kinds_text(c.rest));
}

/* What no packet has together; a warning, for the rule is harmless. */
static void check_facts(struct sl_parser *p, const struct sl_rule *rule)
{
	const struct sl_options *o = &rule->options;
	bool ip6 = rule->proto == SL_PROTO_IP6 || rule->proto == SL_PROTO_ICMP6;
	unsigned least = ip6 ? IP6_LENGTH_MIN : IP4_LENGTH_MIN;

	if (o->written & SL_OPT_FRAGMENT && o->fragment == SL_FRAG_LATER &&
	    (!rule->sport.any || !rule->dport.any ||
	     o->written & (SL_OPT_FLAGS | SL_OPT_ICMP_TYPE)))
		sl_parse_warn(
			p, o->pos[__builtin_ctz(SL_OPT_FRAGMENT)],
			"rule \"%s\" can never match: a later fragment has no ports, flags or ICMP type",
			rule->name);
	if (o->written & SL_OPT_LENGTH && o->length_high < least)
		sl_parse_warn(
			p, o->pos[__builtin_ctz(SL_OPT_LENGTH)],
			"rule \"%s\" can never match: an %s packet has %u bytes at least",
			rule->name, ip6 ? "IPv6" : "IP", least);
}

void sl_parse_check_families(struct sl_parser *p, const struct sl_rule *rule)
{
	struct conflict c;

	check_facts(p, rule);
	if (find_conflict(rule, &c))
		sl_parse_warn(
			p, rule->pos,
			"rule \"%s\" matches nothing while its sets hold what they do: %s wants %s, what stands before it %s",
			rule->name, c.part, kinds_text(c.part_kinds),
			kinds_text(c.rest));
}
