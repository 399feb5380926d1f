// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "coverage.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <stdio.h>
#include <stdlib.h>

#include "say.h"

/* More than any driver's table has (mlx5: 2,048), or than any device has rules. */
#define TABLE_MAX 16384u
#define RULES_MAX 65536u

struct device {
	sl_fwd_ethtool ethtool;
	void *context;
	uint32_t queues;
};

static int ask(const struct device *device, void *command)
{
	return device->ethtool(device->context, command);
}

/* Of the device, or of its driver for this: no such thing is there. */
static bool lacks(int err)
{
	return err == -EOPNOTSUPP || err == -EINVAL || err == -ENOENT;
}

/* Whether one of them, with `base` added, is none of the first `queues`; then *queue is that. */
static bool leads_out(const uint32_t *table, uint32_t n, uint32_t base,
		      uint32_t queues, uint32_t *queue)
{
	for (uint32_t i = 0; i < n; i++) {
		if (table[i] + base < queues)
			continue;
		*queue = table[i] + base;
		return true;
	}
	return false;
}

/* With size 0 it tells its size, and with that the table. */
static int table_read(const struct device *device,
		      struct sl_fwd_coverage *coverage)
{
	struct ethtool_rxfh_indir size = { .cmd = ETHTOOL_GRXFHINDIR };
	struct ethtool_rxfh_indir *table;
	int err = ask(device, &size);

	if (lacks(err) || (!err && !size.size))
		return 0;
	if (err || size.size > TABLE_MAX)
		return err ? err : -E2BIG;
	table = calloc(1, sizeof(*table) + size.size * sizeof(uint32_t));
	if (!table)
		return -ENOMEM;
	table->cmd = ETHTOOL_GRXFHINDIR;
	table->size = size.size;
	err = ask(device, table);
	coverage->table = !err;
	if (!err && leads_out(table->ring_index, size.size, 0, device->queues,
			      &coverage->queue))
		coverage->gap = SL_FWD_GAP_TABLE;
	free(table);
	return err;
}

/* The table of RSS context `context`, to whose queues the rule adds `base`. */
static int context_read(const struct device *device, uint32_t context,
			uint32_t base, struct sl_fwd_coverage *coverage)
{
	struct ethtool_rxfh size = { .cmd = ETHTOOL_GRSSH,
				     .rss_context = context };
	struct ethtool_rxfh *table;
	int err = ask(device, &size);

	if (err || size.indir_size > TABLE_MAX || size.key_size > TABLE_MAX)
		return err ? err : -E2BIG;
	table = calloc(1, sizeof(*table) + size.key_size +
				  size.indir_size * sizeof(uint32_t));
	if (!table)
		return -ENOMEM;
	table->cmd = ETHTOOL_GRSSH;
	table->rss_context = context;
	table->indir_size = size.indir_size;
	table->key_size = size.key_size;
	err = ask(device, table);
	if (!err && leads_out(table->rss_config, size.indir_size, base,
			      device->queues, &coverage->queue)) {
		coverage->gap = SL_FWD_GAP_CONTEXT;
		coverage->context = context;
	}
	free(table);
	return err;
}

static int rule_read(const struct device *device, uint32_t location,
		     struct sl_fwd_coverage *coverage)
{
	struct ethtool_rxnfc rule = { .cmd = ETHTOOL_GRXCLSRULE,
				      .fs.location = location };
	uint32_t queue;
	int err = ask(device, &rule);

	if (err)
		return err;
	coverage->rules++;
	coverage->rule = location;
	/* Dropped, a wake-up call, or another function's: on no queue of this device. */
	if (rule.fs.ring_cookie == RX_CLS_FLOW_DISC ||
	    rule.fs.ring_cookie == RX_CLS_FLOW_WAKE ||
	    ethtool_get_flow_spec_ring_vf(rule.fs.ring_cookie))
		return 0;
	queue = (uint32_t)ethtool_get_flow_spec_ring(rule.fs.ring_cookie);
	if (rule.fs.flow_type & FLOW_RSS)
		return context_read(device, rule.rss_context, queue, coverage);
	if (leads_out(&queue, 1, 0, device->queues, &coverage->queue))
		coverage->gap = SL_FWD_GAP_RULE;
	return 0;
}

static int rules_read(const struct device *device,
		      struct sl_fwd_coverage *coverage)
{
	struct ethtool_rxnfc count = { .cmd = ETHTOOL_GRXCLSRLCNT };
	struct ethtool_rxnfc *all;
	int err = ask(device, &count);

	if (lacks(err) || (!err && !count.rule_cnt))
		return 0;
	if (err || count.rule_cnt > RULES_MAX)
		return err ? err : -E2BIG;
	all = calloc(1, sizeof(*all) + count.rule_cnt * sizeof(uint32_t));
	if (!all)
		return -ENOMEM;
	all->cmd = ETHTOOL_GRXCLSRLALL;
	all->rule_cnt = count.rule_cnt;
	err = ask(device, all);
	if (!err && all->rule_cnt > count.rule_cnt)
		err = -EAGAIN;
	for (uint32_t i = 0; !err && i < all->rule_cnt && !coverage->gap; i++) {
		err = rule_read(device, all->rule_locs[i], coverage);
		/* It was taken away meanwhile. */
		err = err == -ENOENT ? 0 : err;
	}
	free(all);
	return err;
}

int sl_fwd_coverage_read(sl_fwd_ethtool ethtool, void *context, uint32_t queues,
			 struct sl_fwd_coverage *coverage)
{
	const struct device device = { ethtool, context, queues };
	struct sl_fwd_coverage new = { 0 };
	int err = table_read(&device, &new);

	if (!err && !new.gap)
		err = rules_read(&device, &new);
	if (!err)
		*coverage = new;
	return err;
}

void sl_fwd_coverage_say(const char *name, uint32_t queues,
			 const struct sl_fwd_coverage *coverage)
{
	char what[64], remedy[96];

	switch (coverage->gap) {
	case SL_FWD_GAP_NONE:
		return;
	case SL_FWD_GAP_TABLE:
		snprintf(what, sizeof(what), "the RSS indirection table");
		snprintf(remedy, sizeof(remedy), "-X %s equal %u", name,
			 queues);
		break;
	case SL_FWD_GAP_RULE:
		snprintf(what, sizeof(what), "flow rule %u", coverage->rule);
		snprintf(remedy, sizeof(remedy), "-N %s delete %u", name,
			 coverage->rule);
		break;
	case SL_FWD_GAP_CONTEXT:
		snprintf(what, sizeof(what), "flow rule %u, by RSS context %u,",
			 coverage->rule, coverage->context);
		snprintf(remedy, sizeof(remedy), "-X %s context %u equal %u",
			 name, coverage->context, queues);
		break;
	}
	sl_fwd_say_of(
		name,
		"cover the RX queues: %s leads to queue %u, and sockets are on queues 0 to "
		"%u; 'ethtool %s'",
		what, coverage->queue, queues - 1, remedy);
}
