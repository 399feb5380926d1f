// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "guard.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "region.h"
#include "rulelist.h"
#include "sluice/abi.h"

static const struct sl_interval no_tag = { SL_VLAN_NONE, SL_VLAN_NONE };

struct ask {
	const struct sl_guard *guard;
	const struct sl_guard_probe *probe;
	struct sl_region packets;
	const struct sl_rule *rule; /* of the probe */
};

static bool overlaps(struct sl_span a, struct sl_span b)
{
	size_t i = 0, k = 0;

	while (i < a.n_items && k < b.n_items) {
		if (a.items[i].high < b.items[k].low)
			i++;
		else if (b.items[k].high < a.items[i].low)
			k++;
		else
			return true;
	}
	return false;
}

/* Does the rule match some of the packets? */
static bool meets(const struct sl_region *rule, const struct sl_region *packets)
{
	for (enum sl_dimension d = 0; d < SL_DIM_COUNT; d++)
		if (rule->asks[d].items && packets->has[d].n_items &&
		    !overlaps(rule->asks[d], packets->has[d]))
			return false;
	return true;
}

static bool has_member(const struct sl_set *set, const struct sl_prefix *of)
{
	for (size_t i = 0; i < set->n_prefixes; i++) {
		const struct sl_prefix *p = &set->prefixes[i];
		unsigned bytes = p->length / 8, bits = p->length % 8;

		if (p->family == of->family && p->length <= of->length &&
		    memcmp(p->addr, of->addr, bytes) == 0 &&
		    (!bits ||
		     (p->addr[bytes] ^ of->addr[bytes]) >> (8 - bits) == 0))
			return true;
	}
	return false;
}

/* A live set is in no region. 1 and 0 are sure, -1: some packets, or none. */
static int in_live_set(const struct sl_addr *asked, const struct sl_addr *of)
{
	if (asked->kind != SL_ADDR_SET || !asked->set->live)
		return 1;
	if (of->kind != SL_ADDR_PREFIXES || of->n_prefixes != 1)
		return asked->set->n_prefixes ? -1 : asked->negated;
	return has_member(asked->set, &of->prefixes[0]) != asked->negated;
}

/* Goes to this machine's own stack, or may. */
static bool is_kept(const struct ask *a, const struct sl_rule *rule)
{
	switch (rule->verdict.action) {
	case SL_ACTION_PASS:
	case SL_ACTION_ROUTE:
	case SL_ACTION_REDIRECT_FIB:
		return true;
	case SL_ACTION_FORWARD:
	case SL_ACTION_REDIRECT:
		/* Somebody else's packets may be meant to go there. */
		return !a->probe->any;
	default:
		return false;
	}
}

static bool decides(const struct sl_rule *rule, uint64_t now_ns)
{
	switch (rule->verdict.action) {
	case SL_ACTION_LIMIT:
	case SL_ACTION_COUNT:
	case SL_ACTION_LOG:
		return false;
	default:
		return !(rule->options.written & SL_OPT_OBSERVE) &&
		       !sl_rule_is_expired(rule, now_ns);
	}
}

/* Is it settled by this rule? */
static bool settles(const struct ask *a, const struct sl_rule *rule,
		    const struct sl_region *region,
		    struct sl_guard_answer *answer)
{
	int src = in_live_set(&rule->src, &a->rule->src);
	int dst = in_live_set(&rule->dst, &a->rule->dst);
	bool some = src && dst && !region->empty && meets(region, &a->packets);
	bool all = some && src > 0 && dst > 0 &&
		   sl_region_covers(region, &a->packets);
	bool kept = is_kept(a, rule);

	/* One lost packet settles `any`, one kept packet the other. */
	if (!(a->probe->any == kept ? all : some))
		return false;
	*answer = (struct sl_guard_answer){ !kept, kept ? NULL : rule };
	return true;
}

static struct sl_guard_answer ask_rules(const struct ask *a,
					const char *interface)
{
	const struct sl_config *config = a->guard->config;
	struct sl_guard_answer answer = { config->default_drop, NULL };

	for (size_t i = 0; i < config->n_rules; i++) {
		const struct sl_rule *rule = &config->rules[i];

		if (rule->on && strcmp(rule->on, interface) != 0)
			continue;
		if (decides(rule, a->guard->now_ns) &&
		    settles(a, rule, &a->guard->regions[i], &answer))
			break;
	}
	return answer;
}

int sl_guard_open(const struct sl_config *config, uint64_t now_ns,
		  struct sl_guard *guard)
{
	int err = 0;

	*guard = (struct sl_guard){ .config = config, .now_ns = now_ns };
	guard->regions = calloc(config->n_rules + 1, sizeof(*guard->regions));
	if (!guard->regions)
		return -ENOMEM;
	for (size_t i = 0; i < config->n_rules && !err; i++)
		err = sl_region_make(&guard->maker, &config->rules[i],
				     &guard->regions[i]);
	if (err)
		sl_guard_close(guard);
	return err;
}

void sl_guard_close(struct sl_guard *guard)
{
	sl_region_maker_fini(&guard->maker);
	free(guard->regions);
	guard->regions = NULL;
}

int sl_guard_ask(const struct sl_guard *guard, const char *interface,
		 const struct sl_guard_probe *probe,
		 struct sl_guard_answer *answer)
{
	struct ask a = { .guard = guard, .probe = probe };
	/* Its own: a maker knows sets by where they are. */
	struct sl_region_maker maker = { 0 };
	struct sl_diags diags = { 0 };
	struct sl_config *asked;
	int err = sl_config_parse(probe->text, strlen(probe->text), "probe",
				  &diags, &asked);

	sl_diags_fini(&diags);
	if (err)
		return err;
	a.rule = &asked->rules[0];
	err = sl_region_make(&maker, a.rule, &a.packets);
	if (!err && !probe->any_tag && !probe->tagged)
		a.packets.has[SL_DIM_VLAN] = (struct sl_span){ &no_tag, 1 };
	if (!err && !probe->any_tag && !a.packets.asks[SL_DIM_INNER_VLAN].items)
		a.packets.has[SL_DIM_INNER_VLAN] =
			(struct sl_span){ &no_tag, 1 };
	if (!err)
		*answer = ask_rules(&a, interface);
	sl_region_maker_fini(&maker);
	sl_config_free(asked);
	return err;
}
