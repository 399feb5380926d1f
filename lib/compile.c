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
#include "compiler.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "classes.h"
#include "config.h"
#include "error.h"

bool sl_rule_asks(const struct sl_rule *rule, enum sl_dim dim)
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

bool sl_compiler_base(struct sl_compiler *c, enum sl_dim dim)
{
	bool asked = false;

	memset(c->base, 0, c->words * sizeof(*c->base));
	for (size_t i = 0; i < c->out->n_rules; i++) {
		if (sl_rule_asks(c->out->rules[i].rule, dim))
			asked = true;
		else
			sl_bit_set(c->base, i);
	}
	return asked;
}

int sl_compiler_put_vectors(struct sl_compiler *c, enum sl_dim dim,
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

int sl_compiler_put(struct sl_compiler *c, const void *values, size_t bytes,
		    uint32_t *where)
{
	int64_t offset = sl_tables_reserve(&c->tables, bytes);

	if (offset < 0)
		return (int)offset;
	memcpy(sl_tables_pointer(&c->tables, (uint32_t)offset), values, bytes);
	*where = (uint32_t)offset;
	return 0;
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

static int put_rules(struct sl_compiler *c)
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

static int compile_rules(struct sl_compiler *c)
{
	int err;

	for (int side = 0; side < 2; side++) {
		err = sl_compile_addresses(c, side);
		if (err)
			return err;
		err = sl_compile_ports(c, side);
		if (err)
			return err;
	}
	err = sl_compile_kinds(c);
	if (!err)
		err = sl_compile_fragment(c);
	if (!err)
		err = sl_compile_vlans(c);
	if (!err)
		err = put_rules(c);
	return err;
}

int sl_compile(const struct sl_config *config, const char *interface,
	       struct sl_compiled **compiled, struct sl_error *error)
{
	struct sl_compiler c = { 0 };
	int err;

	c.out = calloc(1, sizeof(*c.out));
	if (!c.out)
		return sl_error_set(error, -ENOMEM, "out of memory");
	err = select_rules(c.out, config, interface);
	if (err)
		goto err_free;
	c.out->gen.magic = SL_ABI_MAGIC;
	c.out->gen.abi_version = SL_ABI_VERSION;
	c.out->gen.default_verdict = config->default_drop ? SL_VERDICT_DROP :
							    SL_VERDICT_PASS;
	c.words = (c.out->n_rules + 63) / 64;
	c.out->gen.words = (uint32_t)c.words;
	c.out->gen.n_rules = (uint32_t)c.out->n_rules;
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
	if (err != -E2BIG)
		return sl_error_set(error, err, "out of memory");
	return sl_error_set(error, -EINVAL,
			    "%s: compile: the rules need more than the %zu MiB "
			    "of tables a filter may have; use fewer rules or "
			    "smaller sets",
			    interface, SL_TABLES_BYTES_MAX >> 20);
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
