// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* What a rule does when it is the first to match: see compile.c on answers and steps. */
#include "compiler.h"

#include "config.h"

static enum sl_step_action action_of(enum sl_action action)
{
	switch (action) {
	case SL_ACTION_COUNT:
		return SL_STEP_COUNT;
	case SL_ACTION_LOG:
		return SL_STEP_LOG;
	case SL_ACTION_LIMIT:
		return SL_STEP_LIMIT;
	default:
		return SL_STEP_VERDICT;
	}
}

static enum sl_verdict verdict_of(enum sl_action action)
{
	switch (action) {
	case SL_ACTION_PASS:
		return SL_VERDICT_PASS;
	case SL_ACTION_BOUNCE:
		return SL_VERDICT_BOUNCE;
	case SL_ACTION_REDIRECT:
	case SL_ACTION_REDIRECT_FIB:
		return SL_VERDICT_REDIRECT;
	case SL_ACTION_FORWARD:
	case SL_ACTION_ROUTE:
		return SL_VERDICT_FORWARD;
	default: /* the others do not decide */
		return SL_VERDICT_DROP;
	}
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

bool sl_addr_is_live(const struct sl_addr *a)
{
	return a->kind == SL_ADDR_SET && a->set->live;
}

static uint32_t live_bit(const struct sl_config *config,
			 const struct sl_addr *a)
{
	return sl_addr_is_live(a) ? 1u << sl_config_live_bit(config, a->set) :
				    0;
}

/* All of the step but what the loader knows: slot, device, limiter. */
static struct sl_step step_of(const struct sl_config *config,
			      const struct sl_rule *rule, size_t position)
{
	struct sl_step step = {
		.slot = (uint32_t)position,
		.from = (uint32_t)position + 1,
		.action = action_of(rule->verdict.action),
		.verdict = verdict_of(rule->verdict.action),
		.fallback = rule->verdict.fallback_drop ? SL_VERDICT_DROP :
							  SL_VERDICT_PASS,
		.live_src = live_bit(config, &rule->src),
		.live_dst = live_bit(config, &rule->dst),
		.sample = (uint32_t)rule->verdict.sample,
		.expires_ns = rule->options.expires_ns,
	};

	if (rule->verdict.action == SL_ACTION_REDIRECT_FIB ||
	    rule->verdict.action == SL_ACTION_ROUTE)
		step.flags |= SL_STEP_FIB;
	if (rule->options.written & SL_OPT_OBSERVE)
		step.flags |= SL_STEP_OBSERVE;
	if (step.live_src && rule->src.negated)
		step.flags |= SL_STEP_NOT_SRC;
	if (step.live_dst && rule->dst.negated)
		step.flags |= SL_STEP_NOT_DST;
	return step;
}

static bool goes_on(const struct sl_step *step)
{
	return step->action != SL_STEP_VERDICT || step->live_src ||
	       step->live_dst || step->flags & ~SL_STEP_FIB || step->expires_ns;
}

static uint32_t kind_of(const struct sl_step *step)
{
	if (goes_on(step))
		return SL_MATCH_STEP;
	if (step->verdict == SL_VERDICT_PASS)
		return SL_MATCH_PASS;
	if (step->verdict == SL_VERDICT_DROP)
		return SL_MATCH_DROP;
	return SL_MATCH_VERDICT;
}

/* What the program must be able to do for this rule. */
static uint32_t flags_of(const struct sl_compiled_rule *r)
{
	uint32_t flags = 0;

	if (r->step.action == SL_STEP_VERDICT)
		flags |= flag_of(r->step.verdict);
	if (r->step.flags & SL_STEP_FIB)
		flags |= SL_GEN_FIB;
	if (r->kind == SL_MATCH_STEP)
		flags |= SL_GEN_STEPS;
	if (r->kind >= SL_MATCH_VERDICT)
		flags |= SL_GEN_VERDICTS;
	if (r->step.live_src)
		flags |= SL_GEN_LIVE_SRC;
	if (r->step.live_dst)
		flags |= SL_GEN_LIVE_DST;
	if (r->step.expires_ns)
		flags |= SL_GEN_EXPIRES;
	if (r->step.action == SL_STEP_LOG)
		flags |= SL_GEN_LOGS;
	if (r->step.action == SL_STEP_LIMIT)
		flags |= SL_GEN_LIMITS;
	return flags;
}

uint32_t sl_compile_step(const struct sl_config *config, size_t position,
			 struct sl_compiled_rule *r)
{
	r->step = step_of(config, r->rule, position);
	r->kind = kind_of(&r->step);
	return flags_of(r);
}
