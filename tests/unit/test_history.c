// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* The history of configurations (lib/history.c), in a directory of the test's own. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/durable.h"
#include "lib/error.h"
#include "lib/history.h"

static char directory[64];

static int set_up(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/sluice-history-XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	strcat(directory, "/a/b");
	return setenv("SLUICE_HISTORY", directory, 1);
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	directory[strlen("/tmp/sluice-history-XXXXXX")] = '\0';
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command); /* NOLINT(cert-env33-c): a path of our own */
}

static void open_it(struct sl_history *h)
{
	struct sl_error error = { "" };

	assert_int_equal(sl_history_open(true, h, &error), 0);
}

/* Adds a text, and says that it runs and is confirmed. */
static unsigned apply(const char *text, bool confirmed)
{
	struct sl_error error = { "" };
	struct sl_history h;
	int number;

	open_it(&h);
	number = sl_history_add(&h, "/etc/x.conf", 7, text, &error);
	assert_true(number > 0);
	assert_int_equal(sl_history_mark(&h, (unsigned)number,
					 confirmed ? (unsigned)number :
						     h.confirmed,
					 &error),
			 0);
	sl_history_close(&h);
	return (unsigned)number;
}

static void check_numbers(const unsigned *want, size_t n)
{
	struct sl_history h;

	open_it(&h);
	assert_int_equal(h.n, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(h.entries[i].number, want[i]);
	sl_history_close(&h);
}

static void kept(void **state)
{
	struct sl_error error = { "" };
	struct sl_history h;
	const struct sl_history_entry *e;
	size_t length;
	char *text;

	(void)state;
	assert_int_equal(sl_history_open(false, &h, &error), 0);
	assert_int_equal(h.n, 0);
	assert_null(sl_history_previous(&h));
	sl_history_close(&h);
	assert_int_equal(apply("rule a drop\n", true), 1);
	assert_int_equal(apply("rule b drop\n", false), 2);
	open_it(&h);
	assert_int_equal(h.running, 2);
	assert_int_equal(h.confirmed, 1);
	e = sl_history_previous(&h);
	assert_non_null(e);
	assert_int_equal(e->number, 1);
	assert_int_equal(e->generation, 7);
	assert_string_equal(e->file, "/etc/x.conf");
	assert_true(e->time > 1600000000);
	assert_int_equal(sl_history_read(&h, 1, &text, &length, &error), 0);
	assert_string_equal(text + strcspn(text, "\n"), "\nrule a drop\n");
	assert_int_equal(strncmp(text, "# {", 3), 0);
	free(text);
	assert_int_not_equal(sl_history_read(&h, 9, &text, &length, &error), 0);
	sl_history_close(&h);
}

static void ten(void **state)
{
	const unsigned all[] = { 1, 3, 4, 5, 6, 7, 8, 9, 10, 11 };
	const unsigned moved[] = { 1, 3, 4, 6, 7, 8, 9, 10, 11, 12 };
	char text[32];

	(void)state;
	for (unsigned i = 1; i <= 11; i++) {
		snprintf(text, sizeof(text), "rule r%u drop\n", i);
		assert_int_equal(apply(text, i == 1), i);
	}
	/* Not the one confirmed last, but the next. */
	check_numbers(all, 10);
	/* A text that is there already moves. */
	assert_int_equal(apply("rule r5 drop\n", false), 12);
	check_numbers(moved, 10);
}

static void failed(void **state)
{
	const unsigned one[] = { 1 };
	struct sl_error error = { "" };
	struct sl_history h;
	int number;

	(void)state;
	apply("rule a drop\n", true);
	open_it(&h);
	number = sl_history_add(&h, "x", 1, "rule b drop\n", &error);
	assert_int_equal(number, 2);
	sl_history_drop(&h, 2);
	assert_int_equal(h.n, 1);
	sl_history_close(&h);
	check_numbers(one, 1);
}

static void write_file(const char *name, const char *text)
{
	int dir = open(directory, O_RDONLY | O_DIRECTORY);

	assert_true(dir >= 0);
	assert_int_equal(sl_durable_write(dir, name, text, strlen(text)), 0);
	close(dir);
}

/* Other files, half a file, a state that is none: passed over. */
static void rubbish(void **state)
{
	const unsigned one[] = { 1 };
	struct sl_history h;

	(void)state;
	apply("rule a drop\n", true);
	write_file("notes.txt", "x");
	write_file("000002.conf.new", "# {}\n");
	write_file("000003.conf", "");
	write_file("000004.conf", "# {\"time\":");
	write_file("-5.conf", "# {}\nrule a drop\n");
	check_numbers(one, 1);
	write_file("state.json", "{\"running\":");
	open_it(&h);
	assert_int_equal(h.running, 0);
	assert_int_equal(h.confirmed, 0);
	sl_history_close(&h);
}

/* What the file is called is data. */
static void names(void **state)
{
	static const char name[] = "/etc/a\nb \"c\" \xff.conf";
	struct sl_error error = { "" };
	struct sl_history h;
	size_t length;
	char *text;

	(void)state;
	open_it(&h);
	assert_int_equal(sl_history_add(&h, name, 1, "rule a drop\n", &error),
			 1);
	sl_history_close(&h);
	open_it(&h);
	assert_int_equal(h.n, 1);
	assert_int_equal(strncmp(h.entries[0].file, name, 6), 0);
	assert_int_equal(sl_history_read(&h, 1, &text, &length, &error), 0);
	assert_string_equal(text + strcspn(text, "\n"), "\nrule a drop\n");
	free(text);
	sl_history_close(&h);
}

static void no_room(void **state)
{
	struct sl_error error = { "" };
	struct sl_history h;
	int full = open("/proc/self/fd", O_RDONLY | O_DIRECTORY);

	(void)state;
	open_it(&h);
	close(h.fd);
	h.fd = full; /* where nothing can be written */
	assert_true(sl_history_add(&h, "x", 1, "rule a drop\n", &error) < 0);
	assert_int_equal(h.n, 0);
	assert_non_null(strstr(error.text, "keep this configuration"));
	assert_true(sl_history_mark(&h, 1, 1, &error) < 0);
	assert_int_equal(h.running, 0);
	sl_history_close(&h);
	check_numbers(NULL, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(kept),	  TEST(ten),
					    TEST(failed), TEST(rubbish),
					    TEST(names),  TEST(no_room) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("history", tests, NULL, NULL);
}
