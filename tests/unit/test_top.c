// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* `sluice top` without its terminal: rates, events, order, filter, keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/top_model.h"
#include "cli/top_state.h"

#define SECOND 1000000000u

/* A reading of one interface at a second, with a filter of that generation (0: none). */
static struct top_reading reading(unsigned second, uint64_t generation,
				  uint64_t packets)
{
	struct top_reading r = { .tab = TOP_RULES,
				 .at_ns = (uint64_t)second * SECOND };

	r.interfaces = calloc(1, sizeof(*r.interfaces));
	assert_non_null(r.interfaces);
	if (!generation)
		return r;
	snprintf(r.interfaces->name, sizeof(r.interfaces->name), "eth1");
	r.interfaces->present = true;
	r.interfaces->generation = generation;
	r.interfaces->rx = (struct sl_counter){ packets, 100 * packets };
	r.interfaces->dropped = (struct sl_counter){ packets / 2, 0 };
	r.n_interfaces = 1;
	return r;
}

static void add(struct top_reading *r, const char *name, uint64_t packets)
{
	struct top_row *row = top_table_add(&r->table, "eth1", name, "drop");

	assert_non_null(row);
	row->counter = (struct sl_counter){ packets, 1000 * packets };
}

static void names_are_cleaned(void **state)
{
	char text[TOP_NAME], little[8];

	(void)state;
	top_clean("a b\x1b[2J\xc3\xa9\n~", text, sizeof(text));
	assert_string_equal(text, "a b\\x1b[2J\\xc3\\xa9\\x0a~");
	/* No escape is cut in two. */
	top_clean("abcd\n", little, sizeof(little));
	assert_string_equal(little, "abcd");
	top_clean("abc\n", little, sizeof(little));
	assert_string_equal(little, "abc\\x0a");
	top_clean("ab\n\n", little, sizeof(little));
	assert_string_equal(little, "ab\\x0a");
}

static void rates_follow_counters(void **state)
{
	struct top_reading before = reading(10, 1, 1000);
	struct top_reading now = reading(12, 1, 5000);

	(void)state;
	add(&before, "old", 100);
	add(&before, "reset", 100);
	add(&now, "new", 50);
	add(&now, "reset", 99);
	add(&now, "old", 300);
	add(&now, "level", 7);
	snprintf(now.table.rows[2].detail, TOP_DETAIL, "changed");
	now.table.rows[3].level = true;
	top_rate(&now, &before);
	assert_true(now.interfaces->rated);
	assert_true(now.interfaces->pps == 2000);
	assert_true(now.interfaces->bps == 1600000);
	assert_true(now.interfaces->dropped_pps == 1000);
	assert_true(now.table.rows[0].rated && now.table.rows[0].pps == 25);
	assert_false(now.table.rows[1].rated);
	assert_true(now.table.rows[2].rated && now.table.rows[2].pps == 100);
	assert_true(now.table.rows[2].bps == 800000);
	assert_false(now.table.rows[3].rated);
	top_reading_fini(&now);
	top_reading_fini(&before);
}

/* Rows of one name are told apart where a reading says so; a queue begins with no rate. */
static void rows_are_known(void **state)
{
	struct top_reading before = reading(1, 1, 0), now = reading(2, 1, 0);

	(void)state;
	for (int i = 0; i < 2; i++) {
		add(&before, "pass", i ? 100 : 9000);
		add(&now, "pass", i ? 110 : 9001);
		snprintf(before.table.rows[i].detail, TOP_DETAIL, "%d", i);
		snprintf(now.table.rows[i].detail, TOP_DETAIL, "%d", i);
		top_row_tell_apart(&before.table.rows[i]);
		top_row_tell_apart(&now.table.rows[i]);
	}
	top_rate(&now, &before);
	assert_true(now.table.rows[0].pps == 1 && now.table.rows[1].pps == 10);
	top_reading_fini(&before);
	top_reading_fini(&now);
	before = reading(1, 1, 0);
	now = reading(2, 1, 0);
	before.tab = now.tab = TOP_QUEUES;
	add(&now, "queue 0 rx", 1000000);
	top_rate(&now, &before);
	assert_false(now.table.rows[0].rated);
	top_reading_fini(&before);
	top_reading_fini(&now);
}

/* No rate is made up where the first reading is missing, or is another tab's. */
static void no_rate_without_before(void **state)
{
	struct top_reading none = { 0 }, gone = reading(10, 0, 0);
	struct top_reading other = reading(10, 1, 5), now = reading(11, 1, 9);

	(void)state;
	other.tab = TOP_PORTS;
	add(&other, "a", 1);
	add(&now, "a", 2);
	top_rate(&now, &none);
	top_rate(&now, &gone);
	assert_false(now.interfaces->rated);
	assert_false(now.table.rows[0].rated);
	top_rate(&now, &other);
	assert_true(now.interfaces->rated);
	assert_false(now.table.rows[0].rated);
	top_reading_fini(&now);
	top_reading_fini(&other);
	top_reading_fini(&gone);
}

static void check_event(struct top_reading before, struct top_reading now,
			const char *wanted)
{
	char event[TOP_EVENT] = "";

	assert_int_equal(top_keep_missing(&now, &before), 0);
	assert_int_equal(top_event(&now, &before, event), wanted != NULL);
	assert_string_equal(event, wanted ? wanted : "");
	top_reading_fini(&before);
	top_reading_fini(&now);
}

static void events_are_said(void **state)
{
	struct top_reading first = reading(1, 1, 0), gone = reading(2, 0, 0);

	(void)state;
	check_event((struct top_reading){ 0 }, reading(1, 1, 0), NULL);
	check_event(reading(1, 3, 0), reading(2, 3, 9), NULL);
	check_event(reading(1, 3, 0), reading(2, 4, 9),
		    "eth1: reloaded, generation 4 now");
	check_event(reading(1, 3, 0), reading(2, 0, 0),
		    "eth1: its filter is gone; waiting for another");
	check_event(reading(1, 0, 0), reading(2, 1, 0),
		    "eth1: it has a filter now");
	/* What is missing is remembered. */
	assert_int_equal(top_keep_missing(&gone, &first), 0);
	assert_int_equal(gone.n_interfaces, 1);
	assert_false(gone.interfaces->present);
	check_event(gone, reading(3, 1, 0), "eth1: it has a filter again");
	top_reading_fini(&first);
}

/* Names of the rows in the order in which they are shown, each with a space. */
static void check_order(const struct top_reading *r, enum top_sort sort,
			bool reverse, const char *filter, const char *wanted)
{
	const struct top_row **rows;
	char names[128] = "";
	size_t n = 0;

	rows = top_pick(&r->table, sort, reverse, filter, &n);
	assert_non_null(rows);
	for (size_t i = 0; i < n; i++) {
		strcat(names, rows[i]->name);
		strcat(names, ";");
	}
	assert_string_equal(names, wanted);
	free(rows);
}

static void rows_are_sorted_and_narrowed(void **state)
{
	struct top_reading before = reading(1, 1, 0), now = reading(2, 1, 0);

	(void)state;
	add(&before, "tcp 443", 0);
	add(&before, "tcp 80", 990);
	add(&before, "reset", 9999);
	add(&now, "tcp 443", 500);
	add(&now, "reset", 600);
	add(&now, "tcp 80", 1000);
	add(&now, "Udp 53", 500);
	top_rate(&now, &before);
	check_order(&now, TOP_BY_RATE, false, "",
		    "tcp 443;Udp 53;tcp 80;reset;");
	check_order(&now, TOP_BY_RATE, true, "",
		    "reset;tcp 80;Udp 53;tcp 443;");
	check_order(&now, TOP_BY_BITS, false, "",
		    "tcp 443;Udp 53;tcp 80;reset;");
	check_order(&now, TOP_BY_PACKETS, false, "",
		    "tcp 80;reset;tcp 443;Udp 53;");
	check_order(&now, TOP_BY_NAME, false, "",
		    "Udp 53;reset;tcp 80;tcp 443;");
	check_order(&now, TOP_BY_PLACE, false, "",
		    "tcp 443;reset;tcp 80;Udp 53;");
	check_order(&now, TOP_BY_PLACE, false, "TCP", "tcp 443;tcp 80;");
	check_order(&now, TOP_BY_PLACE, false, "ETH1",
		    "tcp 443;reset;tcp 80;Udp 53;");
	check_order(&now, TOP_BY_PLACE, false, "%s", "");
	top_reading_fini(&now);
	top_reading_fini(&before);
}

/* The columns with their gaps are as wide as the terminal, or the name alone. */
static void columns_fit(void **state)
{
	(void)state;
	for (int width = 1; width < 300; width++) {
		struct top_columns c;
		const int *const all[] = { &c.interface, &c.name, &c.detail,
					   &c.pps,	 &c.mbps, &c.packets,
					   &c.bytes };
		int sum = -1;

		top_columns_fit(width, &c);
		for (size_t i = 0; i < 7; i++)
			sum += *all[i] ? *all[i] + 1 : 0;
		assert_true(c.name >= 1 && sum <= width);
		assert_true(sum == width || c.name == TOP_NAME);
		assert_true(width < 60 || (c.interface && c.detail && c.mbps));
		assert_true(width < 80 || c.packets);
	}
}

static void press(struct top_state *state, const char *keys)
{
	for (; *keys; keys++)
		top_state_press(state, *keys, 10);
}

static void keys_choose(void **unused)
{
	struct top_state s;

	(void)unused;
	top_state_init(&s);
	press(&s, "2sr");
	assert_int_equal(s.tab, TOP_RULES);
	assert_int_equal(s.sort[TOP_RULES], TOP_BY_BITS);
	assert_true(s.reverse[TOP_RULES]);
	press(&s, "\t");
	assert_int_equal(s.tab, TOP_PORTS);
	assert_false(s.reverse[TOP_PORTS]);
	top_state_press(&s, TOP_KEY_LEFT, 10);
	press(&s, "ssss");
	assert_int_equal(s.sort[TOP_RULES], TOP_BY_RATE);
	press(&s, "1");
	top_state_press(&s, TOP_KEY_LEFT, 10);
	assert_int_equal(s.tab, TOP_QUEUES);
	press(&s, "f");
	assert_true(s.frozen);
	press(&s, " h");
	assert_true(!s.frozen && s.help && !s.quit);
	press(&s, "f");
	assert_true(!s.frozen && !s.help);
	top_state_press(&s, TOP_KEY_NONE, 10);
	press(&s, "9zq");
	assert_true(s.quit);
}

static void filter_is_typed(void **unused)
{
	struct top_state s;

	(void)unused;
	top_state_init(&s);
	press(&s, "/q1f");
	assert_true(s.typing && !s.quit && !s.frozen);
	assert_string_equal(s.filter, "q1f");
	top_state_press(&s, TOP_KEY_BACKSPACE, 10);
	press(&s, "\x7f\x1f\t");
	top_state_press(&s, 0xe9, 10);
	assert_string_equal(s.filter, "q");
	press(&s, "\r");
	assert_false(s.typing);
	assert_string_equal(s.filter, "q");
	press(&s, "\x1b");
	assert_string_equal(s.filter, "");
	press(&s, "/");
	for (int i = 0; i < 3 * TOP_FILTER; i++)
		press(&s, "x");
	assert_int_equal(strlen(s.filter), TOP_FILTER - 1);
	press(&s, "\x15");
	assert_string_equal(s.filter, "");
	top_state_press(&s, TOP_KEY_BACKSPACE, 10);
	press(&s, "ab\x1b");
	assert_true(!s.typing && !s.filter[0]);
}

static void rows_are_scrolled(void **unused)
{
	struct top_state s;

	(void)unused;
	top_state_init(&s);
	top_state_press(&s, TOP_KEY_UP, 10);
	assert_int_equal(s.first, 0);
	top_state_press(&s, TOP_KEY_PAGE_DOWN, 10);
	top_state_clamp(&s, 25, 10);
	assert_int_equal(s.first, 10);
	top_state_press(&s, TOP_KEY_PAGE_DOWN, 10);
	top_state_clamp(&s, 25, 10);
	assert_int_equal(s.first, 15);
	top_state_press(&s, TOP_KEY_UP, 10);
	top_state_press(&s, TOP_KEY_PAGE_UP, 10);
	assert_int_equal(s.first, 4);
	top_state_press(&s, TOP_KEY_END, 10);
	top_state_press(&s, TOP_KEY_DOWN, 10);
	top_state_clamp(&s, 25, 10);
	assert_int_equal(s.first, 15);
	top_state_clamp(&s, 3, 10);
	assert_int_equal(s.first, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_cleaned),
		cmocka_unit_test(rates_follow_counters),
		cmocka_unit_test(rows_are_known),
		cmocka_unit_test(no_rate_without_before),
		cmocka_unit_test(events_are_said),
		cmocka_unit_test(rows_are_sorted_and_narrowed),
		cmocka_unit_test(columns_fit),
		cmocka_unit_test(keys_choose),
		cmocka_unit_test(filter_is_typed),
		cmocka_unit_test(rows_are_scrolled),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
