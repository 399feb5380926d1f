// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "compiler.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "classes.h"
#include "config.h"
#include "ranges.h"
#include "tables.h"
/* Does the rule's PROTO hold of this (family, protocol)? */
static bool proto_holds(const struct sl_rule *rule, unsigned family,
			unsigned proto)
{
	switch (rule->proto) {
	case SL_PROTO_ANY:
		return true;
	case SL_PROTO_IP:
		return family == SL_FAMILY_IP4;
	case SL_PROTO_IP6:
		return family == SL_FAMILY_IP6;
	case SL_PROTO_TCP:
		return family && proto == IPPROTO_TCP;
	case SL_PROTO_UDP:
		return family && proto == IPPROTO_UDP;
	case SL_PROTO_SCTP:
		return family && proto == IPPROTO_SCTP;
	case SL_PROTO_ICMP:
		return family == SL_FAMILY_IP4 && proto == IPPROTO_ICMP;
	case SL_PROTO_ICMP6:
		return family == SL_FAMILY_IP6 && proto == IPPROTO_ICMPV6;
	case SL_PROTO_NUMBER:
		return family && proto == rule->proto_number;
	}
	return false;
}

static int map_kinds(struct sl_compiler *c, struct sl_classes *classes,
		     uint32_t *map)
{
	for (unsigned kind = 0; kind < SL_KINDS; kind++) {
		int64_t class_id;

		memset(c->base, 0, c->words * sizeof(*c->base));
		for (size_t i = 0; i < c->out->n_rules; i++)
			if (proto_holds(c->out->rules[i].rule, kind / 257,
					kind % 257))
				sl_bit_set(c->base, i);
		class_id = sl_classes_add(classes, c->base);
		if (class_id < 0)
			return (int)class_id;
		map[kind] = (uint32_t)class_id;
	}
	return 0;
}

int sl_compile_kinds(struct sl_compiler *c)
{
	uint32_t map[SL_KINDS];
	struct sl_classes classes;
	int err;

	if (!sl_compiler_base(c, SL_DIM_KIND))
		return 0;
	sl_classes_init(&classes, c->words);
	err = map_kinds(c, &classes, map);
	if (!err)
		err = sl_compiler_put(c, map, sizeof(map),
				      &c->out->gen.kind_classes);
	if (!err)
		err = sl_compiler_put_vectors(c, SL_DIM_KIND, &classes);
	sl_classes_fini(&classes);
	return err;
}

/* The page number of each block of 256 ports; equal pages are kept once. */
static int put_port_pages(struct sl_compiler *c, int side, uint32_t *map)
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
			      &c->out->gen.port_pages[side]);
	if (err)
		return err;
	return sl_compiler_put(c, map, n_pages * 256 * sizeof(*map),
			       &c->out->gen.port_classes[side]);
}

static size_t port_ranges(const struct sl_compiler *c, int side,
			  struct sl_range *ranges)
{
	size_t n = 0;

	for (size_t i = 0; i < c->out->n_rules; i++) {
		const struct sl_rule *rule = c->out->rules[i].rule;
		const struct sl_ports *ports = side ? &rule->dport :
						      &rule->sport;

		if (ports->any)
			continue;
		for (size_t r = 0; r < ports->n_ranges; r++, n++)
			if (ranges)
				ranges[n] = (struct sl_range){
					ports->ranges[r].low,
					ports->ranges[r].high, i
				};
	}
	return n;
}

int sl_compile_ports(struct sl_compiler *c, int side)
{
	enum sl_dim dim = side ? SL_DIM_DPORT : SL_DIM_SPORT;
	struct sl_range *ranges = NULL;
	struct sl_classes classes;
	uint32_t *map = NULL;
	int64_t none;
	int err = -ENOMEM;
	size_t n;

	if (!sl_compiler_base(c, dim))
		return 0;
	sl_classes_init(&classes, c->words);
	n = port_ranges(c, side, NULL);
	ranges = calloc(n + 1, sizeof(*ranges));
	map = calloc(65536, sizeof(*map));
	none = sl_classes_add(&classes, c->base);
	if (!ranges || !map || none < 0)
		goto out;
	c->out->gen.class_no_port[side] = (uint32_t)none;
	port_ranges(c, side, ranges);
	err = sl_ranges_map(ranges, n, 65536, c->base, &classes, map);
	if (!err)
		err = put_port_pages(c, side, map);
	if (!err)
		err = sl_compiler_put_vectors(c, dim, &classes);
out:
	free(ranges);
	free(map);
	sl_classes_fini(&classes);
	return err;
}

static bool fragment_holds(const struct sl_rule *rule, unsigned fragment)
{
	if (!sl_rule_asks(rule, SL_DIM_FRAGMENT))
		return true;
	switch (rule->options.fragment) {
	case SL_FRAG_FIRST:
		return fragment == SL_FRAGMENT_FIRST;
	case SL_FRAG_LATER:
		return fragment == SL_FRAGMENT_LATER;
	case SL_FRAG_YES:
		return fragment == SL_FRAGMENT_FIRST ||
		       fragment == SL_FRAGMENT_LATER;
	case SL_FRAG_NO:
		return fragment == SL_FRAGMENT_NO;
	case SL_FRAG_ANY:
		return true;
	}
	return false;
}

/* Four values, each its own class: no map. */
int sl_compile_fragment(struct sl_compiler *c)
{
	int64_t offset;
	uint64_t *vectors;

	if (!sl_compiler_base(c, SL_DIM_FRAGMENT))
		return 0;
	offset = sl_tables_reserve(&c->tables, SL_FRAGMENT_COUNT * c->words *
						       sizeof(*vectors));
	if (offset < 0)
		return (int)offset;
	vectors = sl_tables_pointer(&c->tables, (uint32_t)offset);
	for (unsigned f = 0; f < SL_FRAGMENT_COUNT; f++)
		for (size_t i = 0; i < c->out->n_rules; i++)
			if (fragment_holds(c->out->rules[i].rule, f))
				sl_bit_set(vectors + f * c->words, i);
	c->out->gen.vectors[SL_DIM_FRAGMENT] = (uint32_t)offset;
	c->out->gen.dims |= 1u << SL_DIM_FRAGMENT;
	c->out->classes[SL_DIM_FRAGMENT] = SL_FRAGMENT_COUNT;
	return 0;
}

int sl_compile_vlans(struct sl_compiler *c)
{
	uint32_t map[SL_VLANS];
	struct sl_classes classes;
	struct sl_range *ranges;
	size_t n = 0;
	int err;

	if (!sl_compiler_base(c, SL_DIM_VLAN))
		return 0;
	ranges = calloc(c->out->n_rules, sizeof(*ranges));
	if (!ranges)
		return -ENOMEM;
	for (size_t i = 0; i < c->out->n_rules; i++) {
		const struct sl_rule *rule = c->out->rules[i].rule;

		if (sl_rule_asks(rule, SL_DIM_VLAN))
			ranges[n++] = (struct sl_range){ rule->options.vlan,
							 rule->options.vlan,
							 i };
	}
	sl_classes_init(&classes, c->words);
	err = sl_ranges_map(ranges, n, SL_VLANS, c->base, &classes, map);
	if (!err)
		err = sl_compiler_put(c, map, sizeof(map),
				      &c->out->gen.vlan_classes);
	if (!err)
		err = sl_compiler_put_vectors(c, SL_DIM_VLAN, &classes);
	sl_classes_fini(&classes);
	free(ranges);
	return err;
}
