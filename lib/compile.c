// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The rules of one interface become, for each field that some rule looks at, a
 * map from the field's value to a class, and for each class a bit vector of
 * the rules that such a value satisfies (bit i: the rule at position i). The
 * lookup (xdp/classify.h) takes the conjunction of a packet's vectors; its
 * lowest bit is the first rule that matches.
 *
 *   source, destination   segments.c cuts the address space, trie.c maps it
 *   source, dest. port    ranges.c; 256 pages of 256 ports, equal pages shared
 *   (family, protocol)    one array
 *   fragment              the value is the class
 *   VLAN                  ranges.c; one array
 *
 * A packet that lacks a field (no ports, not IP, no tag) has a class of its
 * own, whose vector holds the rules that ask nothing of the field.
 */
#include "compile.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "classes.h"
#include "config.h"
#include "ranges.h"
#include "segments.h"
#include "tables.h"
#include "trie.h"

struct compiler {
	struct sl_compiled *out;
	struct sl_tables_builder tables;
	size_t words;
	uint64_t *base; /* scratch: rules that ask nothing of the field */
};

/* Does this rule ask something of this dimension? */
static bool rule_asks(const struct sl_rule *rule, enum sl_dim dim)
{
	switch (dim) {
	case SL_DIM_SRC:
		return rule->src.kind != SL_ADDR_ANY;
	case SL_DIM_DST:
		return rule->dst.kind != SL_ADDR_ANY;
	case SL_DIM_KIND:
		return rule->proto != SL_PROTO_ANY;
	case SL_DIM_SPORT:
		return !rule->sport.any;
	case SL_DIM_DPORT:
		return !rule->dport.any;
	case SL_DIM_FRAGMENT:
		return rule->options.written & SL_OPT_FRAGMENT;
	case SL_DIM_VLAN:
		return rule->options.written & SL_OPT_VLAN;
	default:
		return false;
	}
}

/* Fills c->base; false when no rule looks at the field at all. */
static bool base_of(struct compiler *c, enum sl_dim dim)
{
	bool asked = false;

	memset(c->base, 0, c->words * sizeof(*c->base));
	for (size_t i = 0; i < c->out->n_rules; i++) {
		if (rule_asks(c->out->rules[i].rule, dim))
			asked = true;
		else
			sl_bit_set(c->base, i);
	}
	return asked;
}

static int put_vectors(struct compiler *c, enum sl_dim dim,
		       const struct sl_classes *classes)
{
	size_t bytes = classes->n_classes * c->words * sizeof(uint64_t);
	int64_t offset = sl_tables_reserve(&c->tables, bytes);

	if (offset < 0)
		return (int)offset;
	memcpy(sl_tables_pointer(&c->tables, (uint32_t)offset),
	       classes->vectors, bytes);
	c->out->gen.vectors[dim] = (uint32_t)offset;
	c->out->gen.dims |= 1u << dim;
	c->out->classes[dim] = classes->n_classes;
	return 0;
}

static int put_u16(struct compiler *c, const uint16_t *values, size_t n,
		   uint32_t *where)
{
	int64_t offset = sl_tables_reserve(&c->tables, n * sizeof(*values));

	if (offset < 0)
		return (int)offset;
	memcpy(sl_tables_pointer(&c->tables, (uint32_t)offset), values,
	       n * sizeof(*values));
	*where = (uint32_t)offset;
	return 0;
}

static struct sl_address_condition condition_of(const struct sl_rule *rule,
						size_t position, int side)
{
	const struct sl_addr *a = side ? &rule->dst : &rule->src;

	return (struct sl_address_condition){
		.rule = position,
		.prefixes = a->kind == SL_ADDR_SET ? a->set->prefixes :
						     a->prefixes,
		.n_prefixes = a->kind == SL_ADDR_SET ? a->set->n_prefixes :
						       a->n_prefixes,
		.negated = a->negated,
	};
}

/* The offset of the root, or -errno. */
static int put_trie(struct compiler *c, int family,
		    const struct sl_address_condition *conditions, size_t n,
		    struct sl_classes *classes)
{
	struct sl_segments segments = { 0 };
	int64_t root;
	int err;

	err = sl_segments_build(family, conditions, n, c->base, classes,
				&segments);
	if (err)
		return err;
	root = sl_trie_build(&segments, &c->tables);
	sl_segments_fini(&segments);
	return (int)root; /* an offset is below SL_TABLES_BYTES_MAX */
}

static int compile_side(struct compiler *c, int side,
			struct sl_address_condition *conditions,
			struct sl_classes *classes)
{
	enum sl_dim dim = side ? SL_DIM_DST : SL_DIM_SRC;
	int64_t none;
	size_t n = 0;
	int root;

	for (size_t i = 0; i < c->out->n_rules; i++)
		if (rule_asks(c->out->rules[i].rule, dim))
			conditions[n++] =
				condition_of(c->out->rules[i].rule, i, side);
	none = sl_classes_add(classes, c->base);
	if (none < 0)
		return (int)none;
	c->out->gen.class_no_address[side] = (uint32_t)none;
	root = put_trie(c, 4, conditions, n, classes);
	if (root < 0)
		return root;
	c->out->gen.trie4[side] = (uint32_t)root;
	root = put_trie(c, 6, conditions, n, classes);
	if (root < 0)
		return root;
	c->out->gen.trie6[side] = (uint32_t)root;
	return put_vectors(c, dim, classes);
}

static int compile_addresses(struct compiler *c, int side)
{
	struct sl_address_condition *conditions;
	struct sl_classes classes;
	int err;

	if (!base_of(c, side ? SL_DIM_DST : SL_DIM_SRC))
		return 0;
	conditions = calloc(c->out->n_rules, sizeof(*conditions));
	if (!conditions)
		return -ENOMEM;
	sl_classes_init(&classes, c->words);
	err = compile_side(c, side, conditions, &classes);
	sl_classes_fini(&classes);
	free(conditions);
	return err;
}

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

static int map_kinds(struct compiler *c, struct sl_classes *classes,
		     uint16_t *map)
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
		map[kind] = (uint16_t)class_id;
	}
	return 0;
}

static int compile_kinds(struct compiler *c)
{
	uint16_t map[SL_KINDS];
	struct sl_classes classes;
	int err;

	if (!base_of(c, SL_DIM_KIND))
		return 0;
	sl_classes_init(&classes, c->words);
	err = map_kinds(c, &classes, map);
	if (!err)
		err = put_u16(c, map, SL_KINDS, &c->out->gen.kind_classes);
	if (!err)
		err = put_vectors(c, SL_DIM_KIND, &classes);
	sl_classes_fini(&classes);
	return err;
}

/* The page number of each block of 256 ports; equal pages are kept once. */
static int put_port_pages(struct compiler *c, int side, uint16_t *map)
{
	uint16_t pages[256];
	size_t n_pages = 0;
	int err;

	for (size_t block = 0; block < 256; block++) {
		const uint16_t *page = map + block * 256;
		size_t p = 0;

		while (p < n_pages &&
		       memcmp(map + p * 256, page, 256 * sizeof(*page)) != 0)
			p++;
		if (p == n_pages)
			memmove(map + n_pages++ * (size_t)256, page,
				256 * sizeof(*page));
		pages[block] = (uint16_t)p;
	}
	err = put_u16(c, pages, 256, &c->out->gen.port_pages[side]);
	if (err)
		return err;
	return put_u16(c, map, n_pages * 256, &c->out->gen.port_classes[side]);
}

static size_t port_ranges(const struct compiler *c, int side,
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

static int compile_ports(struct compiler *c, int side)
{
	enum sl_dim dim = side ? SL_DIM_DPORT : SL_DIM_SPORT;
	struct sl_range *ranges = NULL;
	struct sl_classes classes;
	uint16_t *map = NULL;
	int64_t none;
	int err = -ENOMEM;
	size_t n;

	if (!base_of(c, dim))
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
		err = put_vectors(c, dim, &classes);
out:
	free(ranges);
	free(map);
	sl_classes_fini(&classes);
	return err;
}

static bool fragment_holds(const struct sl_rule *rule, unsigned fragment)
{
	if (!rule_asks(rule, SL_DIM_FRAGMENT))
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
static int compile_fragment(struct compiler *c)
{
	int64_t offset;
	uint64_t *vectors;

	if (!base_of(c, SL_DIM_FRAGMENT))
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

static int compile_vlans(struct compiler *c)
{
	uint16_t map[SL_VLANS];
	struct sl_classes classes;
	struct sl_range *ranges;
	size_t n = 0;
	int err;

	if (!base_of(c, SL_DIM_VLAN))
		return 0;
	ranges = calloc(c->out->n_rules, sizeof(*ranges));
	if (!ranges)
		return -ENOMEM;
	for (size_t i = 0; i < c->out->n_rules; i++) {
		const struct sl_rule *rule = c->out->rules[i].rule;

		if (rule_asks(rule, SL_DIM_VLAN))
			ranges[n++] = (struct sl_range){ rule->options.vlan,
							 rule->options.vlan,
							 i };
	}
	sl_classes_init(&classes, c->words);
	err = sl_ranges_map(ranges, n, SL_VLANS, c->base, &classes, map);
	if (!err)
		err = put_u16(c, map, SL_VLANS, &c->out->gen.vlan_classes);
	if (!err)
		err = put_vectors(c, SL_DIM_VLAN, &classes);
	sl_classes_fini(&classes);
	free(ranges);
	return err;
}

static struct sl_rule_info info_of(const struct sl_rule *rule, size_t position)
{
	struct sl_rule_info info = { .slot = (uint32_t)position,
				     .fallback = rule->verdict.fallback_drop ?
							 SL_VERDICT_DROP :
							 SL_VERDICT_PASS };

	switch (rule->verdict.action) {
	case SL_ACTION_PASS:
		info.verdict = SL_VERDICT_PASS;
		break;
	case SL_ACTION_BOUNCE:
		info.verdict = SL_VERDICT_BOUNCE;
		break;
	case SL_ACTION_REDIRECT:
		info.verdict = SL_VERDICT_REDIRECT;
		break;
	case SL_ACTION_FORWARD:
		info.verdict = SL_VERDICT_FORWARD;
		break;
	default: /* the rest is refused by sl_config_check_effective() */
		info.verdict = SL_VERDICT_DROP;
		break;
	}
	return info;
}

static uint32_t flag_of(uint16_t verdict)
{
	switch (verdict) {
	case SL_VERDICT_REDIRECT:
		return SL_GEN_REDIRECTS;
	case SL_VERDICT_FORWARD:
		return SL_GEN_FORWARDS;
	case SL_VERDICT_BOUNCE:
		return SL_GEN_BOUNCES;
	default:
		return 0;
	}
}

/* The rules that apply to the interface, in order. */
static int select_rules(struct sl_compiled *out, const struct sl_config *config,
			const char *interface)
{
	out->rules = calloc(config->n_rules + 1, sizeof(*out->rules));
	if (!out->rules)
		return -ENOMEM;
	for (size_t i = 0; i < config->n_rules; i++) {
		const struct sl_rule *rule = &config->rules[i];
		struct sl_compiled_rule *r = &out->rules[out->n_rules];

		if (rule->on && strcmp(rule->on, interface) != 0)
			continue;
		r->rule = rule;
		r->info = info_of(rule, out->n_rules);
		out->gen.flags |= flag_of(r->info.verdict);
		out->n_rules++;
	}
	return 0;
}

static int put_rules(struct compiler *c)
{
	int64_t offset = sl_tables_reserve(
		&c->tables, c->out->n_rules * sizeof(struct sl_rule_info));
	int64_t slack;

	if (offset < 0)
		return (int)offset;
	c->out->gen.rules = (uint32_t)offset;
	slack = sl_tables_reserve(&c->tables, SL_TABLE_SLACK);
	return slack < 0 ? (int)slack : 0;
}

static int compile_rules(struct compiler *c)
{
	int err;

	for (int side = 0; side < 2; side++) {
		err = compile_addresses(c, side);
		if (err)
			return err;
		err = compile_ports(c, side);
		if (err)
			return err;
	}
	err = compile_kinds(c);
	if (!err)
		err = compile_fragment(c);
	if (!err)
		err = compile_vlans(c);
	if (!err)
		err = put_rules(c);
	return err;
}

int sl_compile(const struct sl_config *config, const char *interface,
	       struct sl_compiled **compiled)
{
	struct compiler c = { 0 };
	int err = -ENOMEM;

	c.out = calloc(1, sizeof(*c.out));
	if (!c.out)
		return -ENOMEM;
	err = select_rules(c.out, config, interface);
	if (err)
		goto err_free;
	c.out->gen.magic = SL_ABI_MAGIC;
	c.out->gen.abi_version = SL_ABI_VERSION;
	c.out->gen.default_verdict = config->default_drop ? SL_VERDICT_DROP :
							    SL_VERDICT_PASS;
	c.words = (c.out->n_rules + 63) / 64;
	c.out->gen.words = (uint32_t)c.words;
	c.base = calloc(c.words + 1, sizeof(*c.base));
	if (!c.base) {
		err = -ENOMEM;
		goto err_free;
	}
	err = c.words ? compile_rules(&c) : 0;
	free(c.base);
	if (err)
		goto err_free;
	c.out->tables = c.tables.bytes;
	c.out->gen.table_bytes = (uint32_t)c.tables.used;
	sl_compiled_finish(c.out);
	*compiled = c.out;
	return 0;

err_free:
	sl_tables_fini(&c.tables);
	sl_compiled_free(c.out);
	return err;
}

void sl_compiled_finish(struct sl_compiled *compiled)
{
	for (size_t i = 0; i < compiled->n_rules; i++)
		memcpy(compiled->tables + compiled->gen.rules +
			       i * sizeof(struct sl_rule_info),
		       &compiled->rules[i].info, sizeof(struct sl_rule_info));
}

void sl_compiled_free(struct sl_compiled *compiled)
{
	if (!compiled)
		return;
	free(compiled->tables);
	free(compiled->rules);
	free(compiled);
}
