// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The rules of one interface become, for each field that some rule looks at, a
 * map from the field's value to a class, and for each class a bit vector of the
 * rules that such a value satisfies (bit i: the rule at position i). Fields are
 * then folded into groups, and groups into a key with an answer: which rule is
 * the first to match.
 *
 *   IP addresses      segments.c cuts the space; trie.c
 *   MACs              the same; trie.c
 *   all else          compile_value.c: ranges.c, then one array or 256 pages
 *   fields -> groups  compile_group.c
 *   groups -> answer  compile_answer.c
 *   rule -> step      compile_step.c
 *
 * A packet that lacks a field (no ports, not IP, no tag) has a class of its
 * own, whose vector holds the rules that ask nothing of the field.
 *
 * An answer says pass or drop and the rule's counter. A rule that does more has
 * a step (struct sl_step): a verdict with parameters, an action after which the
 * lookup goes on behind the rule, a condition that tables cannot hold.
 */
#include "compiler.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "classes.h"
#include "config.h"
#include "error.h"

/* An address outside all live sets cannot satisfy the rule. */
static bool needs_live(const struct sl_rule *rule)
{
	return (sl_addr_is_live(&rule->src) && !rule->src.negated) ||
	       (sl_addr_is_live(&rule->dst) && !rule->dst.negated);
}

bool sl_rule_asks(const struct sl_rule *rule, enum sl_field field)
{
	static const uint32_t options[SL_FIELD_COUNT] = {
		[SL_FIELD_FLAGS] = SL_OPT_FLAGS,
		[SL_FIELD_ICMP] = SL_OPT_ICMP_TYPE,
		[SL_FIELD_FRAGMENT] = SL_OPT_FRAGMENT,
		[SL_FIELD_DSCP] = SL_OPT_DSCP,
		[SL_FIELD_ETHERTYPE] = SL_OPT_ETHERTYPE,
		[SL_FIELD_VLAN] = SL_OPT_VLAN,
		[SL_FIELD_INNER_VLAN] = SL_OPT_INNER_VLAN,
		[SL_FIELD_LENGTH] = SL_OPT_LENGTH,
		[SL_FIELD_MAC_SRC] = SL_OPT_MAC_SRC,
		[SL_FIELD_MAC_DST] = SL_OPT_MAC_DST,
	};

	switch (field) {
	case SL_FIELD_SRC:
		return rule->src.kind != SL_ADDR_ANY &&
		       !sl_addr_is_live(&rule->src);
	case SL_FIELD_DST:
		return rule->dst.kind != SL_ADDR_ANY &&
		       !sl_addr_is_live(&rule->dst);
	case SL_FIELD_KIND:
		return rule->proto != SL_PROTO_ANY;
	case SL_FIELD_LIVE:
		return needs_live(rule);
	case SL_FIELD_SPORT:
		return !rule->sport.any;
	case SL_FIELD_DPORT:
		return !rule->dport.any;
	default:
		return rule->options.written & options[field];
	}
}

const char *sl_field_text(enum sl_field field)
{
	static const char *const texts[SL_FIELD_COUNT] = {
		[SL_FIELD_SRC] = "source",
		[SL_FIELD_DST] = "destination",
		[SL_FIELD_KIND] = "protocol",
		[SL_FIELD_FLAGS] = "flags",
		[SL_FIELD_ICMP] = "icmp",
		[SL_FIELD_FRAGMENT] = "fragment",
		[SL_FIELD_LIVE] = "live",
		[SL_FIELD_DSCP] = "dscp",
		[SL_FIELD_ETHERTYPE] = "ethertype",
		[SL_FIELD_VLAN] = "vlan",
		[SL_FIELD_INNER_VLAN] = "inner-vlan",
		[SL_FIELD_LENGTH] = "length",
		[SL_FIELD_MAC_SRC] = "mac-source",
		[SL_FIELD_MAC_DST] = "mac-destination",
		[SL_FIELD_SPORT] = "source-port",
		[SL_FIELD_DPORT] = "destination-port",
	};

	return texts[field];
}

bool sl_compiler_base(struct sl_compiler *c, enum sl_field field)
{
	bool asked = false;

	memset(c->base, 0, c->words * sizeof(*c->base));
	for (size_t i = 0; i < c->out->n_rules; i++) {
		if (sl_rule_asks(c->out->rules[i].rule, field))
			asked = true;
		else
			sl_bit_set(c->base, i);
	}
	return asked;
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

/*
 * Metadata is for the forwarder: a plain wire reads none, and to write it is a third of what
 * such a packet costs the filter. Linux 6.13, and stable kernels since, refuse a program that
 * makes room for it behind libxdp's dispatcher (changes_pkt_data, kernel/bpf/verifier.c).
 */
static bool has_metadata(const struct sl_config *config, const char *interface,
			 uint32_t flags)
{
	const struct sl_interface *at = sl_config_interface(config, interface);
	const struct sl_forwarder *f = &config->forwarder;

	if (f->given && !sl_forwarder_asks(f) && !(flags & SL_GEN_FIB))
		return false;
	return !at || at->attach != SL_ATTACH_SHARED;
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
		out->gen.flags |= sl_compile_step(config, out->n_rules++, r);
		if (r->kind == SL_MATCH_STEP)
			r->step.resume = (uint32_t)++out->n_resumes;
		if (r->kind >= SL_MATCH_VERDICT)
			out->gen.n_steps++;
	}
	out->gen.n_rules = (uint32_t)out->n_rules;
	if (out->gen.flags & SL_GEN_FORWARDS &&
	    has_metadata(config, interface, out->gen.flags))
		out->gen.flags |= SL_GEN_META;
	return 0;
}

static int compile_field(struct sl_compiler *c, enum sl_field field)
{
	struct sl_classes classes;
	int err;

	if (!sl_compiler_base(c, field))
		return 0;
	sl_classes_init(&classes, c->words);
	c->out->gen.field[field].used = 1;
	c->out->gen.want |= 1u << field;
	switch (field) {
	case SL_FIELD_SRC:
	case SL_FIELD_DST:
		err = sl_compile_address(c, field, &classes);
		break;
	case SL_FIELD_MAC_SRC:
	case SL_FIELD_MAC_DST:
		err = sl_compile_mac(c, field, &classes);
		break;
	default:
		err = sl_compile_value(c, field, &classes);
		break;
	}
	if (err) {
		sl_classes_fini(&classes);
		return err;
	}
	c->out->classes[field] = classes.n_classes;
	return sl_compile_group(c, field, &classes);
}

/*
 * The program must be shown to be safe in a million instructions. Up to six
 * fields and no step take 0.3 million; every field, with samples, 1.1.
 */
static void flag_size(struct sl_gen *gen)
{
	if (__builtin_popcount(gen->want) > 6 || gen->flags & SL_GEN_STEPS)
		gen->flags |= SL_GEN_FORGETS;
}

static int compile_rules(struct sl_compiler *c)
{
	int64_t steps;
	int err = 0;

	/* Offset 0 stands for "none": nothing lies there. */
	if (sl_tables_reserve(&c->tables, 8) < 0)
		return -ENOMEM;
	for (int field = 0; field < SL_FIELD_COUNT && !err; field++)
		err = compile_field(c, field);
	if (!err)
		err = sl_compile_answers(c);
	if (err)
		return err;
	flag_size(&c->out->gen);
	steps = sl_tables_reserve(&c->tables,
				  c->out->gen.n_steps * sizeof(struct sl_step));
	if (steps < 0)
		return (int)steps;
	c->out->gen.steps = (uint32_t)steps;
	return sl_tables_close(&c->tables);
}

static int compile(struct sl_compiler *c)
{
	int err;

	c->words = (c->out->n_rules + 63) / 64;
	c->out->gen.words = (uint32_t)c->words;
	if (!c->words)
		return 0;
	c->base = calloc(c->words, sizeof(*c->base));
	err = c->base ? compile_rules(c) : -ENOMEM;
	free(c->base);
	for (size_t g = 0; g < c->n_groups; g++)
		sl_classes_fini(&c->groups[g]);
	return err;
}

/* Counters for two generations' rules, in whole blocks. */
static uint32_t slots_for(uint64_t rules_limit)
{
	uint32_t n = rules_limit > SL_RULES_DEFAULT ? (uint32_t)rules_limit :
						      SL_RULES_DEFAULT;

	return (2 * n + SL_RULE_BLOCK - 1) / SL_RULE_BLOCK * SL_RULE_BLOCK;
}

static size_t budget_of(const struct sl_config *config)
{
	uint64_t bytes = config->limits.tables_bytes;

	if (!bytes)
		return SL_TABLES_BYTES_DEFAULT;
	return bytes < SL_TABLES_BYTES_MAX ? (size_t)bytes :
					     SL_TABLES_BYTES_MAX;
}

static int refuse_size(const struct sl_compiler *c, const char *interface,
		       size_t budget, bool all, struct sl_error *error)
{
	if (!all)
		return sl_error_set(
			error, -EINVAL,
			"%s: compile: %zu rules do not fit: they need more "
			"than the %zu MiB of tables that there may be, or cut "
			"the packets in more ways than a lookup can tell "
			"apart; use fewer rules, or sets in place of many "
			"rules with one verdict",
			interface, c->out->n_rules, SL_TABLES_BYTES_MAX >> 20);
	return sl_error_set(
		error, -EINVAL,
		"%s: compile: %zu rules need %zu KiB of tables, the budget is "
		"%zu KiB; use fewer rules, or a `live` set for a large one, or "
		"raise `limits { tables }` (up to %zuM)",
		interface, c->out->n_rules, (c->tables.used + 1023) >> 10,
		budget >> 10, SL_TABLES_BYTES_MAX >> 20);
}

int sl_compile(const struct sl_config *config, const char *interface,
	       struct sl_compiled **compiled, struct sl_error *error)
{
	struct sl_compiler c = { 0 };
	int err;

	c.out = calloc(1, sizeof(*c.out));
	if (!c.out)
		return sl_error_set(error, -ENOMEM, "out of memory");
	c.out->gen.magic = SL_ABI_MAGIC;
	c.out->gen.abi_version = SL_ABI_VERSION;
	c.out->n_slots = slots_for(config->limits.rules);
	c.out->gen.default_verdict = config->default_drop ? SL_VERDICT_DROP :
							    SL_VERDICT_PASS;
	err = select_rules(c.out, config, interface);
	if (!err)
		err = compile(&c);
	if (err == -ENOMEM)
		sl_error_set(error, err, "out of memory");
	else if (err || c.tables.used > budget_of(config))
		err = refuse_size(&c, interface, budget_of(config), !err,
				  error);
	if (err) {
		sl_tables_fini(&c.tables);
		sl_compiled_free(c.out);
		return err;
	}
	c.out->tables = c.tables.bytes;
	c.out->gen.table_bytes = (uint32_t)c.tables.used;
	if (c.tables.used)
		c.out->gen.table_last =
			(uint32_t)c.tables.used - SL_TABLE_SLACK;
	*compiled = c.out;
	return 0;
}

/* Steps in the order of the rules, and what an answer for each rule is. */
static void finish_steps(struct sl_compiled *compiled, uint32_t *answer_of)
{
	struct sl_step *steps =
		(struct sl_step *)(compiled->tables + compiled->gen.steps);
	uint32_t n = 0;

	for (size_t i = 0; i < compiled->n_rules; i++) {
		const struct sl_compiled_rule *r = &compiled->rules[i];

		if (r->kind >= SL_MATCH_VERDICT) {
			answer_of[i] = SL_MATCH(r->kind, n);
			steps[n++] = r->step;
		} else {
			answer_of[i] = SL_MATCH(r->kind, r->step.slot);
		}
	}
}

int sl_compiled_finish(struct sl_compiled *compiled)
{
	const struct sl_gen *gen = &compiled->gen;
	uint32_t *answers, *answer_of;

	if (!compiled->n_rules || compiled->finished)
		return 0;
	answer_of = calloc(compiled->n_rules, sizeof(*answer_of));
	if (!answer_of)
		return -ENOMEM;
	finish_steps(compiled, answer_of);
	answers = (uint32_t *)(compiled->tables +
			       (gen->dense ? gen->dense : gen->answers));
	for (size_t i = 0; i < compiled->n_answers; i++)
		answers[i] = answers[i] ? answer_of[answers[i] - 1] :
					  SL_MATCH_NONE;
	free(answer_of);
	compiled->finished = true;
	return 0;
}

void sl_compiled_free(struct sl_compiled *compiled)
{
	if (!compiled)
		return;
	free(compiled->tables);
	free(compiled->rules);
	free(compiled->outs);
	free(compiled);
}
