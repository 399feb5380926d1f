/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Which packets a rule matches, as one set of values for each dimension of the
 * packet: docs/packet-semantics.md in sets. Live sets, `on` and `expires` are
 * left out. Any thread; no globals.
 */
#ifndef SLUICE_REGION_H
#define SLUICE_REGION_H

#include <stdbool.h>

#include "span.h"

struct sl_rule;

/*
 * Dimensions as the fields of sluice/abi.h, except that each address family has
 * its own. Where a packet lacks a fact it has the number behind the last value
 * (SL_FLAGS_NONE, ...).
 */
enum sl_dimension {
	SL_DIM_KIND,
	SL_DIM_SRC4,
	SL_DIM_SRC6,
	SL_DIM_DST4,
	SL_DIM_DST6,
	SL_DIM_FLAGS,
	SL_DIM_ICMP,
	SL_DIM_FRAGMENT,
	SL_DIM_DSCP,
	SL_DIM_ETHERTYPE,
	SL_DIM_VLAN,
	SL_DIM_INNER_VLAN,
	SL_DIM_LENGTH,
	SL_DIM_MAC_SRC,
	SL_DIM_MAC_DST,
	SL_DIM_SPORT,
	SL_DIM_DPORT,
	SL_DIM_COUNT
};

/*
 * asks[d] is what the rule's parts say of the dimension (items NULL: nothing);
 * a packet matches if each of them holds. has[d] are the values that such
 * packets really have, with what follows from the other parts: `ip6` has no
 * IPv4 source, a port means no later fragment. has[d] is empty where the
 * packets have no such dimension (an IPv4 source in IPv6).
 */
struct sl_region {
	struct sl_span asks[SL_DIM_COUNT];
	struct sl_span has[SL_DIM_COUNT];
	bool empty; /* no packet matches: an empty set, parts that contradict */
};

#define SL_REGION_MAC_LAST (((sl_address)1 << 48) - 1)

/* What sets come to, kept because many rules may name one. */
struct sl_region_set {
	const void *set;
	enum sl_dimension dimension;
	bool negated;
	struct sl_span span;
};

/* Start from { 0 }. */
struct sl_region_maker {
	struct sl_span_pool pool;
	struct sl_region_set *sets;
	size_t n_sets;
};

void sl_region_maker_fini(struct sl_region_maker *maker);

/* 0 and *region, whose intervals live as long as the maker; or -ENOMEM. */
int sl_region_make(struct sl_region_maker *maker, const struct sl_rule *rule,
		   struct sl_region *region);

/* The first half of it: what is written. region_ask.c */
int sl_region_ask(struct sl_region_maker *maker, const struct sl_rule *rule,
		  struct sl_span asks[SL_DIM_COUNT]);

/* Does every packet of b match a, in what regions hold? b is not empty. */
bool sl_region_covers(const struct sl_region *a, const struct sl_region *b);

#endif /* SLUICE_REGION_H */
