/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Rules parsed for a configuration that is there, and put into its list. What
 * they do to traffic is in tests/netns/test_rule.py.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/config.h"
#include "lib/rulelist.h"
#include "lib/symbol.h"

static const char base_text[] = "interface eth1\n"
				"set s { 10.0.0.0/8 }\n"
				"set m mac { 02:00:00:00:00:01 }\n"
				"rule a pass from @s band 5\n"
				"rule b drop band 5\n"
				"rule c drop owner x expires 10s band 7\n";

static struct sl_config *base(void)
{
	struct sl_diags diags = { 0 };
	struct sl_config *config = NULL;

	assert_int_equal(sl_config_parse(base_text, strlen(base_text), "base",
					 &diags, &config),
			 0);
	sl_diags_fini(&diags);
	return config;
}

static struct sl_config *rules_for(const struct sl_config *config,
				   const char *text)
{
	struct sl_diags diags = { 0 };
	struct sl_config *rules = NULL;

	assert_int_equal(sl_config_parse_rules(text, strlen(text), "rules",
					       config, &diags, &rules),
			 0);
	assert_int_equal(diags.n_items, 0);
	sl_diags_fini(&diags);
	return rules;
}

static void expect_order(const struct sl_config *config, const char *names)
{
	char got[256] = "";

	for (size_t i = 0; i < config->n_rules; i++) {
		strcat(got, i ? " " : "");
		strcat(got, config->rules[i].name);
	}
	assert_string_equal(got, names);
}

static void inserted(void **state)
{
	struct sl_config *config = base(), *rules;
	struct sl_diags diags = { 0 };
	char *text = NULL;
	size_t bytes;
	FILE *out;

	(void)state;
	rules = rules_for(config, "rule z drop from not @s band 6\n# none\n\n"
				  "y pass on eth1 mac src @m\n"
				  "x count band 5\r\n"
				  "w count band 4294967295");
	assert_int_equal(rules->n_rules, 4);
	assert_int_equal(
		sl_rulelist_insert(config, rules->rules, rules->n_rules), 0);
	sl_config_free(rules); /* the rules are the configuration's now */
	expect_order(config, "y a b x z c w");
	assert_ptr_equal(config->rules[4].src.set, config->sets[0]);
	assert_ptr_equal(config->rules[0].options.mac_src.set, config->sets[1]);

	/* And the text is one that can be read again. */
	out = open_memstream(&text, &bytes);
	assert_int_equal(sl_config_print(config, SL_PRINT_EXPAND, out), 0);
	fclose(out);
	sl_config_free(config);
	assert_int_equal(sl_config_parse(text, bytes, "again", &diags, &config),
			 0);
	expect_order(config, "y a b x z c w");
	free(text);
	sl_config_free(config);
}

static void refused(void **state)
{
	static const struct {
		const char *text;
		unsigned line, column;
		const char *words;
	} cases[] = {
		{ "a drop\nb drop from @no\n", 2, 13, "no set \"no\"" },
		{ "a drop from @m", 1, 13, "MAC" },
		{ "a drop on eth2", 1, 11, "no interface statement" },
		{ "a drop\nrule a drop", 2, 6, "in line 1 already" },
		{ "interface eth2", 1, 11, "expected a verdict" },
		{ "a drop from { 1.1.1.1", 1, 13, "never closed" },
		{ "a drop } b", 1, 8, "end of the line" },
	};
	struct sl_config *config = base();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sl_config *rules = config;
		struct sl_diags diags = { 0 };

		assert_int_equal(sl_config_parse_rules(
					 cases[i].text, strlen(cases[i].text),
					 "rules", config, &diags, &rules),
				 -EINVAL);
		assert_ptr_equal(rules, config);
		assert_true(diags.n_items > 0);
		assert_non_null(strstr(diags.items[0].message, cases[i].words));
		assert_int_equal(diags.items[0].pos.line, cases[i].line);
		assert_int_equal(diags.items[0].pos.column, cases[i].column);
		sl_diags_fini(&diags);
	}
	expect_order(config, "a b c");
	assert_int_equal(config->n_sets, 2);
	sl_config_free(config);
}

/* Without a configuration names stay unresolved, but `on` can be read. */
static void unresolved(void **state)
{
	struct sl_config *rules = rules_for(NULL, "a drop on eth9 from @no");

	(void)state;
	assert_string_equal(rules->rules[0].on, "eth9");
	sl_config_free(rules);
}

static void removed(void **state)
{
	static const bool gone[] = { true, false, true };
	struct sl_config *config = base();
	struct sl_symbols by_name = { 0 };

	(void)state;
	sl_rulelist_remove(config, gone);
	expect_order(config, "b");
	assert_int_equal(sl_rulelist_index(config, &by_name), 0);
	assert_int_equal(sl_symbols_find(&by_name, "b"), 0);
	assert_int_equal(sl_symbols_find(&by_name, "a"), SL_SYMBOL_NONE);
	sl_symbols_fini(&by_name);
	sl_config_free(config);
}

static void owners_and_time(void **state)
{
	struct sl_config *config = base();
	struct sl_rule *a = &config->rules[0], *c = &config->rules[2];
	char *text;

	(void)state;
	assert_string_equal(sl_rule_owner(a), SL_OWNER_CONFIG);
	assert_false(sl_rule_is_live(a));
	assert_string_equal(sl_rule_owner(c), "x");
	assert_true(sl_rule_is_live(c));
	assert_false(sl_rule_is_expired(c, UINT64_MAX)); /* not begun */
	sl_rulelist_start(config, 5);
	assert_int_equal(a->deadline_ns, 0);
	assert_int_equal(c->deadline_ns, 10000000005);
	sl_rulelist_start(config, 100); /* begins once */
	assert_int_equal(c->deadline_ns, 10000000005);
	assert_false(sl_rule_is_expired(c, 10000000004));
	assert_true(sl_rule_is_expired(c, 10000000005));
	assert_false(sl_rule_is_expired(a, UINT64_MAX));
	text = sl_rule_text(c);
	assert_string_equal(text, "rule c drop expires 10s owner x band 7");
	free(text);
	sl_config_free(config);
}

static void staged(void **state)
{
	static const char text[] = "interface a\ninterface b\nrule r pass\n"
				   "forwarder { wire a b; capture \"f\"; "
				   "police 1kpps rule r }\n";
	struct sl_diags diags = { 0 };
	struct sl_config *config = NULL;

	(void)state;
	assert_int_equal(
		sl_config_parse(text, strlen(text), "t", &diags, &config), 0);
	assert_true(sl_rule_is_staged(config, "r"));
	assert_false(sl_rule_is_staged(config, "f"));
	sl_config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inserted),	   cmocka_unit_test(refused),
		cmocka_unit_test(unresolved),	   cmocka_unit_test(removed),
		cmocka_unit_test(owners_and_time), cmocka_unit_test(staged),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("rulelist", tests, NULL, NULL);
}
