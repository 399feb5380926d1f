// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * What is written (region_ask.c) says what a packet with it has, by the rules
 * of docs/packet-semantics.md on which facts are known together: the kind
 * (family and protocol) follows from all parts, and all else from the kind and
 * from whether some part needs ports, flags or an ICMP type.
 */
#include "region.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "config.h"
#include "sluice/abi.h"

#define ETHERTYPE_IP4 0x0800
#define ETHERTYPE_IP6 0x86dd
#define IP4_LENGTH_MIN 20
#define IP6_LENGTH_MIN 40
/* An IPv4 address stands in the top 32 bits of 128 (segments.h). */
#define ADDRESS_LAST (~(sl_address)0)

/* Options that a packet must be IP for. */
#define NEEDS_IP                                                             \
	(SL_OPT_FLAGS | SL_OPT_ICMP_TYPE | SL_OPT_FRAGMENT | SL_OPT_LENGTH | \
	 SL_OPT_DSCP)
/* Options that a packet must have an Ethernet header for. */
#define NEEDS_FRAME                                                            \
	(SL_OPT_ETHERTYPE | SL_OPT_VLAN | SL_OPT_INNER_VLAN | SL_OPT_MAC_SRC | \
	 SL_OPT_MAC_DST)

#define KIND4(proto) (SL_FAMILY_IP4 * SL_KIND_FAMILY + (proto))
#define KIND6(proto) (SL_FAMILY_IP6 * SL_KIND_FAMILY + (proto))
#define KIND_NOT_IP SL_PROTO_NONE

/* The protocol of IPv4 is always known; that of IPv6 may be out of reach. */
static const struct sl_interval kinds_all[] = { { KIND_NOT_IP, KIND4(255) },
						{ KIND6(0), KIND6(256) } };
static const struct sl_interval kinds_ip[] = { { KIND4(0), KIND4(255) },
					       { KIND6(0), KIND6(256) } };
static const struct sl_interval kinds_read[] = { { KIND4(0), KIND4(255) },
						 { KIND6(0), KIND6(255) } };
static const struct sl_interval kinds_ip4[] = { { KIND4(0), KIND4(255) } };
static const struct sl_interval kinds_ip6[] = { { KIND6(0), KIND6(256) } };
static const struct sl_interval kinds_not_ip[] = { { KIND_NOT_IP,
						     KIND_NOT_IP } };
static const struct sl_interval kinds_not_ip4[] = {
	{ KIND_NOT_IP, KIND_NOT_IP },
	{ KIND6(0), KIND6(256) },
};
static const struct sl_interval kinds_not_ip6[] = { { KIND_NOT_IP,
						      KIND4(255) } };
static const struct sl_interval kinds_tcp[] = {
	{ KIND4(IPPROTO_TCP), KIND4(IPPROTO_TCP) },
	{ KIND6(IPPROTO_TCP), KIND6(IPPROTO_TCP) },
};
static const struct sl_interval kinds_ports[] = {
	{ KIND4(IPPROTO_TCP), KIND4(IPPROTO_TCP) },
	{ KIND4(IPPROTO_UDP), KIND4(IPPROTO_UDP) },
	{ KIND4(IPPROTO_SCTP), KIND4(IPPROTO_SCTP) },
	{ KIND6(IPPROTO_TCP), KIND6(IPPROTO_TCP) },
	{ KIND6(IPPROTO_UDP), KIND6(IPPROTO_UDP) },
	{ KIND6(IPPROTO_SCTP), KIND6(IPPROTO_SCTP) },
};
static const struct sl_interval kinds_icmp[] = {
	{ KIND4(IPPROTO_ICMP), KIND4(IPPROTO_ICMP) },
	{ KIND6(IPPROTO_ICMPV6), KIND6(IPPROTO_ICMPV6) },
};
static const struct sl_interval ethertypes_ip[] = {
	{ ETHERTYPE_IP4, ETHERTYPE_IP4 },
	{ ETHERTYPE_IP6, ETHERTYPE_IP6 },
};

#define SPAN(intervals)                 \
	((struct sl_span){ (intervals), \
			   sizeof(intervals) / sizeof((intervals)[0]) })

/* All values of a dimension, the number for "no such fact" included. */
static const struct sl_interval all[SL_DIM_COUNT] = {
	[SL_DIM_SRC4] = { 0, ADDRESS_LAST },
	[SL_DIM_SRC6] = { 0, ADDRESS_LAST },
	[SL_DIM_DST4] = { 0, ADDRESS_LAST },
	[SL_DIM_DST6] = { 0, ADDRESS_LAST },
	[SL_DIM_FLAGS] = { 0, SL_FLAGS_NONE },
	[SL_DIM_ICMP] = { 0, SL_FIELD_VALUES },
	[SL_DIM_FRAGMENT] = { SL_FRAGMENT_NO, SL_FRAGMENT_NONE },
	[SL_DIM_DSCP] = { 0, SL_DSCP_NONE },
	[SL_DIM_ETHERTYPE] = { 0, SL_FIELD_VALUES },
	[SL_DIM_VLAN] = { 0, SL_VLAN_NONE },
	[SL_DIM_INNER_VLAN] = { 0, SL_VLAN_NONE },
	[SL_DIM_LENGTH] = { 0, SL_LENGTH_MAX + 1 },
	[SL_DIM_MAC_SRC] = { 0, SL_REGION_MAC_LAST + 1 },
	[SL_DIM_MAC_DST] = { 0, SL_REGION_MAC_LAST + 1 },
	[SL_DIM_SPORT] = { 0, SL_FIELD_VALUES },
	[SL_DIM_DPORT] = { 0, SL_FIELD_VALUES },
};

void sl_region_maker_fini(struct sl_region_maker *maker)
{
	sl_span_pool_fini(&maker->pool);
	free(maker->sets);
	*maker = (struct sl_region_maker){ 0 };
}

/* The kinds that are left, narrowed part by part. */
struct kinds {
	struct sl_span_pool *pool;
	struct sl_span left;
	int err;
};

static void narrow(struct kinds *k, struct sl_span by)
{
	if (!k->err)
		k->err = sl_span_intersect(k->pool, k->left, by, &k->left);
}

static void narrow_proto(struct kinds *k, unsigned proto)
{
	const struct sl_interval items[] = { { KIND4(proto), KIND4(proto) },
					     { KIND6(proto), KIND6(proto) } };

	narrow(k, SPAN(items));
}

static void narrow_by_proto(struct kinds *k, const struct sl_rule *rule)
{
	static const struct {
		enum sl_proto word;
		unsigned proto;
	} protos[] = { { SL_PROTO_TCP, IPPROTO_TCP },
		       { SL_PROTO_UDP, IPPROTO_UDP },
		       { SL_PROTO_SCTP, IPPROTO_SCTP },
		       { SL_PROTO_ICMP, IPPROTO_ICMP },
		       { SL_PROTO_ICMP6, IPPROTO_ICMPV6 } };

	for (size_t i = 0; i < sizeof(protos) / sizeof(*protos); i++)
		if (rule->proto == protos[i].word)
			narrow_proto(k, protos[i].proto);
	if (rule->proto == SL_PROTO_NUMBER)
		narrow_proto(k, rule->proto_number);
	if (rule->proto == SL_PROTO_IP || rule->proto == SL_PROTO_ICMP)
		narrow(k, SPAN(kinds_ip4));
	if (rule->proto == SL_PROTO_IP6 || rule->proto == SL_PROTO_ICMP6)
		narrow(k, SPAN(kinds_ip6));
}

static void narrow_by_address(struct kinds *k, const struct sl_addr *a,
			      struct sl_span ip4, struct sl_span ip6)
{
	if (a->kind == SL_ADDR_ANY)
		return;
	narrow(k, SPAN(kinds_ip));
	if (ip4.items && !ip4.n_items)
		narrow(k, SPAN(kinds_not_ip4));
	if (ip6.items && !ip6.n_items)
		narrow(k, SPAN(kinds_not_ip6));
}

static void narrow_by_options(struct kinds *k, const struct sl_options *o)
{
	if (o->written & NEEDS_IP)
		narrow(k, SPAN(kinds_ip));
	if (o->written & SL_OPT_FLAGS)
		narrow(k, SPAN(kinds_tcp));
	if (o->written & SL_OPT_ICMP_TYPE)
		narrow(k, SPAN(kinds_icmp));
	if (o->written & SL_OPT_FRAGMENT)
		narrow(k, SPAN(kinds_read));
	if (o->written & SL_OPT_LENGTH && o->length_high < IP6_LENGTH_MIN)
		narrow(k, SPAN(kinds_not_ip6));
	if (!(o->written & SL_OPT_ETHERTYPE))
		return;
	/* Of these ethertypes, but malformed: not IP. */
	if (o->ethertype == ETHERTYPE_IP4)
		narrow(k, SPAN(kinds_not_ip6));
	else if (o->ethertype == ETHERTYPE_IP6)
		narrow(k, SPAN(kinds_not_ip4));
	else
		narrow(k, SPAN(kinds_not_ip));
}

static int find_kinds(struct sl_region_maker *m, const struct sl_rule *rule,
		      struct sl_region *r)
{
	struct kinds k = { .pool = &m->pool, .left = SPAN(kinds_all) };

	narrow_by_proto(&k, rule);
	narrow_by_address(&k, &rule->src, r->asks[SL_DIM_SRC4],
			  r->asks[SL_DIM_SRC6]);
	narrow_by_address(&k, &rule->dst, r->asks[SL_DIM_DST4],
			  r->asks[SL_DIM_DST6]);
	if (!rule->sport.any || !rule->dport.any)
		narrow(&k, SPAN(kinds_ports));
	narrow_by_options(&k, &rule->options);
	if (k.err)
		return k.err;
	r->has[SL_DIM_KIND] = k.left;
	if (k.left.items != kinds_all)
		r->asks[SL_DIM_KIND] = k.left;
	return 0;
}

static bool has_kind(const struct sl_region *r, unsigned low, unsigned high)
{
	const struct sl_span *kinds = &r->has[SL_DIM_KIND];

	for (size_t i = 0; i < kinds->n_items; i++)
		if (kinds->items[i].low <= high && kinds->items[i].high >= low)
			return true;
	return false;
}

/* What the packets of a region are known to have. */
struct facts {
	bool ip4, ip6, not_ip; /* some are */
	bool unread;	       /* the protocol of some could not be read */
	bool frame;	       /* all have an Ethernet header */
	bool ports;	       /* all have them */
	bool not_later;	       /* none is a later fragment */
};

static struct facts facts_of(const struct sl_rule *rule,
			     const struct sl_region *r)
{
	uint32_t written = rule->options.written;
	struct facts f = {
		.ip4 = has_kind(r, KIND4(0), KIND4(255)),
		.ip6 = has_kind(r, KIND6(0), KIND6(256)),
		.not_ip = has_kind(r, KIND_NOT_IP, KIND_NOT_IP),
		.unread = has_kind(r, KIND6(256), KIND6(256)),
		.ports = !rule->sport.any || !rule->dport.any ||
			 written & SL_OPT_FLAGS,
	};

	f.frame = !f.not_ip || written & NEEDS_FRAME;
	f.not_later = f.ports || written & SL_OPT_ICMP_TYPE;
	return f;
}

/* The values that facts leave in a dimension of which nothing is asked. */
static struct sl_interval values_left(enum sl_dimension d,
				      const struct facts *f,
				      const struct sl_rule *rule)
{
	struct sl_interval left = all[d];
	bool known = false;

	switch (d) {
	case SL_DIM_FRAGMENT:
		if (f->not_later)
			left.high = SL_FRAGMENT_FIRST;
		else
			known = !f->not_ip && !f->unread;
		break;
	case SL_DIM_LENGTH:
		if (!f->not_ip)
			left.low = f->ip4 ? IP4_LENGTH_MIN : IP6_LENGTH_MIN;
		known = !f->not_ip;
		break;
	case SL_DIM_DSCP:
		known = !f->not_ip;
		break;
	case SL_DIM_VLAN: /* the outer tag comes first */
		known = rule->options.written & SL_OPT_INNER_VLAN;
		break;
	case SL_DIM_ETHERTYPE:
	case SL_DIM_MAC_SRC:
	case SL_DIM_MAC_DST:
		known = f->frame;
		break;
	case SL_DIM_SPORT:
	case SL_DIM_DPORT:
		known = f->ports;
		break;
	default:
		break;
	}
	left.high -= known;
	return left;
}

static struct sl_span ethertypes_of(const struct facts *f)
{
	return (struct sl_span){ f->ip4 ? ethertypes_ip : ethertypes_ip + 1,
				 f->ip4 && f->ip6 ? 2 : 1 };
}

/* What is asked excludes "no such fact": only these two may be narrower. */
static bool may_contradict(enum sl_dimension d)
{
	return d == SL_DIM_FRAGMENT || d == SL_DIM_LENGTH;
}

static int find_value(struct sl_region_maker *m, enum sl_dimension d,
		      struct sl_interval left, struct sl_region *r)
{
	struct sl_interval *item;

	if (r->asks[d].items && !may_contradict(d)) {
		r->has[d] = r->asks[d];
		return 0;
	}
	if (r->asks[d].items)
		return sl_span_intersect(&m->pool, r->asks[d],
					 (struct sl_span){ &left, 1 },
					 &r->has[d]);
	r->has[d] = (struct sl_span){ &all[d], 1 };
	if (left.low == all[d].low && left.high == all[d].high)
		return 0;
	item = sl_span_room(&m->pool, 1);
	if (!item)
		return -ENOMEM;
	*item = left;
	r->has[d].items = item;
	return 0;
}

/* All dimensions but the kind. */
static int find_values(struct sl_region_maker *m, const struct sl_rule *rule,
		       struct sl_region *r)
{
	struct facts f = facts_of(rule, r);
	int err = 0;

	for (enum sl_dimension d = SL_DIM_SRC4; d < SL_DIM_COUNT && !err; d++) {
		bool ip4 = d == SL_DIM_SRC4 || d == SL_DIM_DST4;
		bool ip6 = d == SL_DIM_SRC6 || d == SL_DIM_DST6;

		if ((ip4 && !f.ip4) || (ip6 && !f.ip6))
			continue; /* stays empty */
		if (d == SL_DIM_ETHERTYPE && !f.not_ip)
			r->has[d] = ethertypes_of(&f);
		else
			err = find_value(m, d, values_left(d, &f, rule), r);
		r->empty |= !r->has[d].n_items;
	}
	return err;
}

int sl_region_make(struct sl_region_maker *maker, const struct sl_rule *rule,
		   struct sl_region *region)
{
	struct sl_region r = { 0 };
	int err = sl_region_ask(maker, rule, r.asks);

	if (!err)
		err = find_kinds(maker, rule, &r);
	if (!err && r.has[SL_DIM_KIND].n_items)
		err = find_values(maker, rule, &r);
	if (err)
		return err;
	r.empty |= !r.has[SL_DIM_KIND].n_items;
	*region = r;
	return 0;
}

bool sl_region_covers(const struct sl_region *a, const struct sl_region *b)
{
	for (enum sl_dimension d = 0; d < SL_DIM_COUNT; d++)
		if (a->asks[d].items && !sl_span_within(b->has[d], a->asks[d]))
			return false;
	return true;
}
