// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What NIC and filter count, set against one another; and how the ledger is printed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "afxdp-app/forwarder.h"
#include "afxdp-app/ledger.h"
#include "afxdp-app/tally.h"
#include "lib/fwdledger.h"

/*
 * A poll under way is in the filter's count and not in the NIC's. All that it may have at either
 * look must come out as 0, and one packet more or less than that as just that.
 */
static void polls_under_way_are_not_missing(void **state)
{
	(void)state;
	for (uint64_t first = 0; first < 4; first++)
		for (uint64_t late = 0; late < 4; late++)
			for (uint64_t gone = 0; gone < 3; gone++) {
				/* NIC 1000 ahead of the filter; `first` in a poll at the begin. */
				const struct sl_fwd_tally_look begin = {
					.rx_before = 1000,
					.rx_after = 1000 + first,
				};
				/* 50 seen since, `late` of them counted between the two reads. */
				const struct sl_fwd_tally_look now = {
					.rx_before =
						1000 + first + 50 + gone - late,
					.seen = 50,
					.rx_after = 1000 + first + 50 + gone,
				};
				int64_t unseen =
					sl_fwd_tally_unseen(&begin, &now);

				assert_true(unseen >= 0);
				assert_true(unseen <= (int64_t)gone);
				if (!first && !late)
					assert_int_equal(unseen, gone);
			}
}

static void what_is_counted_late_is_below_zero(void **state)
{
	const struct sl_fwd_tally_look begin = { 100, 0, 100 };
	const struct sl_fwd_tally_look now = { 110, 40, 130 };

	(void)state;
	assert_int_equal(sl_fwd_tally_unseen(&begin, &now), -10);
}

static void a_counter_that_went_back_is_told(void **state)
{
	const struct sl_fwd_nic before = { .rx_packets = 5, .tx_errors = 2 };
	struct sl_fwd_nic now = { .rx_packets = 9, .tx_errors = 2 };
	struct sl_fwd_nic since = { .rx_missed_errors = 77 };

	(void)state;
	assert_int_equal(sl_fwd_nic_since(&now, &before, &since), 0);
	assert_int_equal(since.rx_packets, 4);
	assert_int_equal(since.rx_missed_errors, 0);
	now.tx_errors = 1;
	assert_int_equal(sl_fwd_nic_since(&now, &before, &since), -ERANGE);
	assert_int_equal(since.rx_packets, 4);
}

static void a_base_survives_its_journey(void **state)
{
	const struct sl_fwd_tally_base base = {
		.seen = (uint64_t)-3, /* as a filter attached anew makes it */
		.forwarded = 2,
		.nic = { .rx_packets = 1ull << 40, .tx_errors = 7 },
		.rx_after = (1ull << 40) + 1,
		.nic_known = 1,
	};
	struct sl_fwd_tally_base copy = { .seen = 77 };
	json_t *json = sl_fwd_tally_base_json(&base), *other = json_integer(1);

	(void)state;
	assert_false(sl_fwd_tally_base_from(&copy, other));
	assert_false(sl_fwd_tally_base_from(&copy, NULL));
	assert_int_equal(copy.seen, 77);
	assert_true(sl_fwd_tally_base_from(&copy, json));
	assert_memory_equal(&copy, &base, sizeof(base));
	json_decref(json);
	json_decref(other);
}

static void the_table(void **state)
{
	static const char want[] =
		"|                          eth1            eth2\n"
		"|NIC received                12               -\n"
		"|  dropped                    0               -\n"
		"|  missed                     0               -\n"
		"|  fifo                       0               -\n"
		"|seen by filter              11               4\n"
		"|  unseen                     1               -\n"
		"|forwarded                    9               -\n"
		"|received                     9               4\n"
		"|  lost                       0               0\n"
		"|  waiting                    0               0\n"
		"|  unexplained                0              -1\n"
		"|sent                         4               9\n"
		"|NIC sent                     5               -\n"
		"|  dropped                    0               -\n"
		"|  errors                     0               -\n"
		"|in all: received 13 = sent 13 + dropped 0; unexplained 1\n";
	json_t *ledger = json_loads(
		"{\"interfaces\":[{\"name\":\"eth1\",\"nic\":{\"rx_packets\":12,"
		"\"rx_dropped\":0,\"rx_missed_errors\":0,\"rx_fifo_errors\":0,"
		"\"tx_packets\":5,\"tx_dropped\":0,\"tx_errors\":0},\"seen\":11,"
		"\"unseen\":1,\"forwarded\":9,\"received\":9,\"lost\":0,"
		"\"waiting\":0,\"unexplained\":0,\"sent\":4},{\"name\":\"eth2\","
		"\"nic\":null,\"seen\":4,\"unseen\":null,\"forwarded\":null,"
		"\"received\":4,\"lost\":0,\"waiting\":0,\"unexplained\":-1,"
		"\"sent\":9}],\"received\":13,\"sent\":13,\"dropped\":0,"
		"\"unexplained\":1}",
		0, NULL);
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	(void)state;
	assert_non_null(ledger);
	assert_non_null(out);
	sl_fwdledger_print(ledger, "|", out);
	fclose(out);
	assert_string_equal(text, want);
	free(text);
	json_decref(ledger);
}

/* libjansson refuses a whole object for one such name. */
static void a_name_that_is_no_text_is_told(void **state)
{
	struct sl_fwd_iface iface = { .name = "e\xff" };
	struct sl_fwd fwd = { .ifaces = &iface, .n_ifaces = 1 };
	json_t *ledger = sl_fwd_ledger_json(&fwd);
	json_t *side = json_array_get(json_object_get(ledger, "interfaces"), 0);
	const char *name = json_string_value(json_object_get(side, "name"));

	(void)state;
	assert_non_null(name);
	assert_string_equal(name, "e\\xff");
	json_decref(ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(polls_under_way_are_not_missing),
		cmocka_unit_test(what_is_counted_late_is_below_zero),
		cmocka_unit_test(a_counter_that_went_back_is_told),
		cmocka_unit_test(a_base_survives_its_journey),
		cmocka_unit_test(the_table),
		cmocka_unit_test(a_name_that_is_no_text_is_told),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
