/* SPDX-License-Identifier: GPL-2.0-only */
/* What is counted, per CPU: by port, rule, reason and verdict. */
#ifndef SLUICE_XDP_COUNTING_H
#define SLUICE_XDP_COUNTING_H

#include "decision.h"
#include "maps.h"
#include "packet.h"

static __always_inline void count(struct sl_counter *counter, __u32 bytes)
{
	counter->packets++;
	counter->bytes += bytes;
}

static __always_inline void count_port(const struct sl_packet *p, __u32 bytes)
{
	struct sl_port_block *block;
	__u32 key;

	if (!p->has_ports || p->proto == SL_IP_SCTP)
		return;
	key = (p->proto == SL_IP_UDP ? SL_PORT_UDP : SL_PORT_TCP) << 8 |
	      p->dport >> 8;
	block = bpf_map_lookup_elem(&sl_ports, &key);
	if (block)
		count(&block->port[p->dport & 255], bytes);
}

/* How many packets this CPU has counted for the rule so far. */
static __always_inline __u64 count_rule(__u32 slot, __u32 bytes)
{
	__u32 key = slot / SL_RULE_BLOCK;
	struct sl_rule_block *block = bpf_map_lookup_elem(&sl_rules, &key);
	struct sl_counter *rule;

	if (!block)
		return 0;
	rule = &block->rule[slot % SL_RULE_BLOCK];
	count(rule, bytes);
	return rule->packets;
}

static __always_inline void count_verdict(struct sl_totals *totals,
					  const struct sl_decision *d,
					  __u32 bytes)
{
	struct sl_counter *by = &totals->reason_rule.pass;
	__u32 cell = d->reason * SL_VERDICT_COUNT + d->verdict;

	if (cell < SL_REASON_COUNT * SL_VERDICT_COUNT)
		count(&by[cell], bytes);
	if (d->slot != SL_SLOT_NONE)
		count_rule(d->slot, bytes);
}

#endif /* SLUICE_XDP_COUNTING_H */
