// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Which devices can put packets on a queue without a socket, by what a mock of one tells. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <string.h>

#include "afxdp-app/coverage.h"

#define N 4u

struct device {
	int no_table, no_rules; /* -errno of whoever asks */
	int rule_err;
	uint32_t n_table, table[N];
	uint32_t n_rules, location[N], context[N], flow_type[N];
	uint64_t cookie[N];
	uint32_t of_context[N]; /* the table of any RSS context */
};

static int tell_table(const struct device *device, void *command)
{
	struct ethtool_rxfh_indir *table = command;

	if (device->no_table)
		return device->no_table;
	if (table->size) {
		assert_int_equal(table->size, device->n_table);
		memcpy(table->ring_index, device->table,
		       device->n_table * sizeof(uint32_t));
	}
	table->size = device->n_table;
	return 0;
}

static int tell_context(const struct device *device, void *command)
{
	struct ethtool_rxfh *table = command;

	assert_int_not_equal(table->rss_context, 0);
	if (table->indir_size)
		memcpy(table->rss_config, device->of_context,
		       N * sizeof(uint32_t));
	table->indir_size = N;
	table->key_size = 40;
	return 0;
}

static int tell_rule(const struct device *device, struct ethtool_rxnfc *rule)
{
	for (uint32_t i = 0; i < device->n_rules; i++) {
		if (device->location[i] != rule->fs.location)
			continue;
		rule->fs.ring_cookie = device->cookie[i];
		rule->fs.flow_type = device->flow_type[i];
		rule->rss_context = device->context[i];
		return device->rule_err;
	}
	return -ENOENT;
}

static int tell(void *context, void *command)
{
	const struct device *device = context;
	struct ethtool_rxnfc *rules = command;

	switch (*(uint32_t *)command) {
	case ETHTOOL_GRXFHINDIR:
		return tell_table(device, command);
	case ETHTOOL_GRSSH:
		return tell_context(device, command);
	case ETHTOOL_GRXCLSRLCNT:
		rules->rule_cnt = device->n_rules;
		return device->no_rules;
	case ETHTOOL_GRXCLSRLALL:
		assert_int_equal(rules->rule_cnt, device->n_rules);
		memcpy(rules->rule_locs, device->location,
		       device->n_rules * sizeof(uint32_t));
		return 0;
	case ETHTOOL_GRXCLSRULE:
		return tell_rule(device, rules);
	default:
		fail();
		return -EOPNOTSUPP;
	}
}

static struct sl_fwd_coverage read_ok(struct device *device, uint32_t queues)
{
	struct sl_fwd_coverage coverage;

	assert_int_equal(sl_fwd_coverage_read(tell, device, queues, &coverage),
			 0);
	return coverage;
}

static void a_device_that_knows_neither_is_covered(void **state)
{
	const int errors[] = { -EOPNOTSUPP, -EINVAL, -ENOENT };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct device device = { .no_table = errors[i],
					 .no_rules = errors[i] };
		struct sl_fwd_coverage coverage = read_ok(&device, 1);

		assert_int_equal(coverage.gap, SL_FWD_GAP_NONE);
		assert_false(coverage.table);
	}
}

static void a_table_is_read_to_its_end(void **state)
{
	struct device device = { .n_table = 4,
				 .table = { 0, 1, 1, 2 },
				 .no_rules = -EOPNOTSUPP };
	struct sl_fwd_coverage coverage;

	(void)state;
	coverage = read_ok(&device, 3);
	assert_int_equal(coverage.gap, SL_FWD_GAP_NONE);
	assert_true(coverage.table);
	coverage = read_ok(&device, 2);
	assert_int_equal(coverage.gap, SL_FWD_GAP_TABLE);
	assert_int_equal(coverage.queue, 2);
}

static void a_rule_names_a_queue(void **state)
{
	struct device device = { .no_table = -EOPNOTSUPP,
				 .n_rules = 3,
				 .location = { 7, 1000, 3 },
				 .cookie = { 0, 1, 5 } };
	struct sl_fwd_coverage coverage;

	(void)state;
	coverage = read_ok(&device, 6);
	assert_int_equal(coverage.gap, SL_FWD_GAP_NONE);
	assert_int_equal(coverage.rules, 3);
	coverage = read_ok(&device, 5);
	assert_int_equal(coverage.gap, SL_FWD_GAP_RULE);
	assert_int_equal(coverage.rule, 3);
	assert_int_equal(coverage.queue, 5);
}

static void rules_that_lead_to_no_queue(void **state)
{
	struct device device = {
		.no_table = -EOPNOTSUPP,
		.n_rules = 3,
		.cookie = { RX_CLS_FLOW_DISC, RX_CLS_FLOW_WAKE,
			    9 | 1ull << ETHTOOL_RX_FLOW_SPEC_RING_VF_OFF },
		.location = { 0, 1, 2 },
	};

	(void)state;
	assert_int_equal(read_ok(&device, 1).gap, SL_FWD_GAP_NONE);
}

/* include/uapi/linux/ethtool.h, FLOW_RSS: ring_cookie is added to what the table has. */
static void a_rule_by_an_rss_context(void **state)
{
	struct device device = { .no_table = -EOPNOTSUPP,
				 .n_rules = 1,
				 .location = { 4 },
				 .flow_type = { TCP_V4_FLOW | FLOW_RSS },
				 .context = { 2 },
				 .cookie = { 1 },
				 .of_context = { 0, 0, 2, 1 } };
	struct sl_fwd_coverage coverage;

	(void)state;
	assert_int_equal(read_ok(&device, 4).gap, SL_FWD_GAP_NONE);
	coverage = read_ok(&device, 3);
	assert_int_equal(coverage.gap, SL_FWD_GAP_CONTEXT);
	assert_int_equal(coverage.rule, 4);
	assert_int_equal(coverage.context, 2);
	assert_int_equal(coverage.queue, 3);
}

static void what_it_will_not_tell_is_no_proof(void **state)
{
	struct device device = { .no_table = -EIO };
	struct sl_fwd_coverage coverage = { .queue = 77 };

	(void)state;
	assert_int_equal(sl_fwd_coverage_read(tell, &device, 1, &coverage),
			 -EIO);
	device = (struct device){ .no_table = -EOPNOTSUPP, .no_rules = -EBUSY };
	assert_int_equal(sl_fwd_coverage_read(tell, &device, 1, &coverage),
			 -EBUSY);
	device = (struct device){ .n_table = 20000 };
	assert_int_equal(sl_fwd_coverage_read(tell, &device, 1, &coverage),
			 -E2BIG);
	device = (struct device){ .no_table = -EOPNOTSUPP,
				  .n_rules = 1,
				  .rule_err = -EIO };
	assert_int_equal(sl_fwd_coverage_read(tell, &device, 1, &coverage),
			 -EIO);
	assert_int_equal(coverage.queue, 77);
	/* Taken away between the list and the question: it leads nowhere. */
	device.rule_err = -ENOENT;
	assert_int_equal(read_ok(&device, 1).gap, SL_FWD_GAP_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_device_that_knows_neither_is_covered),
		cmocka_unit_test(a_table_is_read_to_its_end),
		cmocka_unit_test(a_rule_names_a_queue),
		cmocka_unit_test(rules_that_lead_to_no_queue),
		cmocka_unit_test(a_rule_by_an_rss_context),
		cmocka_unit_test(what_it_will_not_tell_is_no_proof),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
