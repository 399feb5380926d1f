// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* What lib/difference.c says that one configuration changes of another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/config.h"
#include "lib/difference.h"

static struct sl_config *parse(const char *text)
{
	struct sl_diags diags = { 0 };
	struct sl_config *config = NULL;

	assert_int_equal(sl_config_parse(text, strlen(text), "test", &diags,
					 &config),
			 0);
	sl_diags_fini(&diags);
	return config;
}

static void print_list(FILE *out, const char *what,
		       const struct sl_difference_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		fprintf(out, "%s %s %s;", what,
			sl_difference_words[list->items[i].kind],
			list->items[i].name);
}

/* "rule added a;set changed s;default drop;other;" */
static void check(const char *old_text, const char *new_text, const char *want)
{
	struct sl_config *old = old_text ? parse(old_text) : NULL;
	struct sl_config *new = parse(new_text);
	struct sl_difference d;
	char got[1024] = "";
	FILE *out = fmemopen(got, sizeof(got), "w");

	assert_non_null(out);
	assert_int_equal(sl_difference_find(old, new, &d), 0);
	print_list(out, "interface", &d.interfaces);
	print_list(out, "set", &d.sets);
	print_list(out, "rule", &d.rules);
	if (d.default_changed)
		fprintf(out, "default %s;", d.default_new);
	if (d.other)
		fputs("other;", out);
	fclose(out);
	assert_string_equal(got, want);
	assert_int_equal(sl_difference_any(&d), want[0] != '\0');
	sl_difference_fini(&d);
	sl_config_free(old);
	sl_config_free(new);
}

#define A "rule a drop tcp\n"
#define B "rule b drop udp\n"
#define C "rule c drop icmp\n"
#define D "rule d pass\n"

static void rules(void **state)
{
	(void)state;
	check(A B, A B, "");
	check(NULL, A B, "rule added a;rule added b;");
	check(A, A B, "rule added b;");
	check(A B, B, "rule removed a;");
	check(A B, "rule a drop tcp to any port 7\n" B, "rule changed a;");
	/* Written otherwise, the same. */
	check("rule a drop tcp to any port { 7, 8 }\n",
	      "rule a drop tcp to any port { 7,8 } # x\n", "");
}

static void moves(void **state)
{
	(void)state;
	check(A B C D, D A B C, "rule moved d;");
	check(A B C D, B C D A, "rule moved a;");
	/* Of two that changed places, one. */
	check(A B C D, A C B D, "rule moved c;");
	check(A B C D, B "rule x pass\n" C D, "rule added x;rule removed a;");
	/* One that moved and changed is told once. */
	check(A B C, B C "rule a drop tcp to any port 7\n", "rule changed a;");
}

static void live(void **state)
{
	(void)state;
	/* Another owner's: an apply leaves it alone... */
	check(A "rule l drop udp owner x\n", A, "");
	/* ... unless the file has it. */
	check(A "rule l drop udp owner x\n", A "rule l drop sctp owner x\n",
	      "rule changed l;");
	/* What a live set holds is no part of what is compared. */
	check("set s live { 192.0.2.1 }\n", "set s live { }\n", "");
	check("set s live { }\n", "set s live max 9 { }\n", "set changed s;");
}

static void others(void **state)
{
	(void)state;
	check("default pass\n", "", "");
	check("default drop\n", "", "default pass;");
	check("", "default drop\n", "default drop;");
	check("set s { 192.0.2.1 }\n", "set s { 192.0.2.2 }\n",
	      "set changed s;");
	check("set s { 192.0.2.1 }\n", "set t { 192.0.2.1 }\n",
	      "set added t;set removed s;");
	check("interface eth1\n", "interface eth1, eth2\n",
	      "interface added eth2;");
	check("interface eth1, eth2\n", "interface eth2\n",
	      "interface removed eth1;");
	check("interface eth1\n", "interface eth1 { mode generic }\n",
	      "interface changed eth1;");
	check("", "limits { rules 20000 }\n", "other;");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules),
		cmocka_unit_test(moves),
		cmocka_unit_test(live),
		cmocka_unit_test(others),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("difference", tests, NULL, NULL);
}
