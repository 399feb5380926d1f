// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* What lib/guard.c says of rules that cut somebody off, and of rules that do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/config.h"
#include "lib/guard.h"

#define ARP "rule probe pass ethertype 0x0806\n"
#define NS "rule probe pass icmp6 icmp-type 135\n"
#define MAC "set sender mac { 02:00:00:00:00:01 }\n"
#define SSH                                                                       \
	MAC "rule probe pass tcp from 192.0.2.9 port 40000 to 192.0.2.1 port 22 " \
	    "flags ack/syn,ack,rst,fin fragment no length 40-1500 mac src "       \
	    "@sender\n"
#define SSH6                                                                    \
	MAC "rule probe pass tcp from 2001:db8::9 port 40000 to 2001:db8::1 "   \
	    "port 22 flags ack/syn,ack,rst,fin fragment no length 60-1500 mac " \
	    "src @sender\n"
#define VLAN                                                                      \
	MAC "rule probe pass tcp from 192.0.2.9 port 40000 to 192.0.2.1 port 22 " \
	    "flags ack/syn,ack,rst,fin fragment no length 40-1500 vlan 10 mac "   \
	    "src @sender\n"

/* Lost by a rule of that name, by the default policy (""), or kept (NULL). */
struct check {
	const char *probe, *rules, *lost;
};

static void check(const struct check *c)
{
	struct sl_guard_probe probe = {
		.text = c->probe,
		.any = strstr(c->probe, "tcp") != NULL,
		.tagged = strstr(c->probe, "vlan") != NULL,
		.any_tag = !strstr(c->probe, "tcp"),
	};
	struct sl_guard_answer answer = { 0 };
	struct sl_diags diags = { 0 };
	struct sl_config *config;
	struct sl_guard guard;
	char text[2048];

	snprintf(text, sizeof(text), "interface eth1, eth2\n%s", c->rules);
	assert_int_equal(sl_config_parse(text, strlen(text), "test", &diags,
					 &config),
			 0);
	assert_int_equal(sl_guard_open(config, 1, &guard), 0);
	assert_int_equal(sl_guard_ask(&guard, "eth1", &probe, &answer), 0);
	sl_guard_close(&guard);
	if (answer.lost != !!c->lost ||
	    (c->lost && strcmp(answer.by ? answer.by->name : "", c->lost)))
		fail_msg("%s%s: lost %d by %s", c->rules, c->probe, answer.lost,
			 answer.by ? answer.by->name : "default");
	sl_config_free(config);
	sl_diags_fini(&diags);
}

#define CHECK_ALL(checks)                                                     \
	do {                                                                  \
		for (size_t i = 0; i < sizeof(checks) / sizeof(*checks); i++) \
			check(&(checks)[i]);                                  \
	} while (0)

static void kinds(void **state)
{
	static const struct check checks[] = {
		{ ARP, "", NULL },
		{ ARP, "default drop\n", "" },
		{ ARP, "default drop\nrule a pass ethertype 0x0806\n", NULL },
		{ ARP, "default drop\nrule a pass tcp\nrule b pass ip\n", "" },
		{ ARP, "rule a drop\n", "a" },
		{ ARP, "rule a drop ip\nrule b drop ip6\n", NULL },
		{ ARP, "rule a bounce ethertype 0x0806\n", "a" },
		{ ARP, "rule a drop on eth2\n", NULL },
		{ ARP, "rule a drop observe\n", NULL },
		{ ARP, "default drop\nrule a count\n", "" },
		{ ARP, "default drop\nrule a forward\n", NULL },
		/* Some stations, or some VLANs: policy. */
		{ ARP,
		  "set m mac { 02:00:00:00:00:01 }\nrule a drop mac src @m\n",
		  NULL },
		{ ARP, "default drop\nrule a pass vlan 10\n", NULL },
		{ NS, "default drop\nrule a pass icmp6\n", NULL },
		{ NS, "default drop\nrule a pass ip\n", "" },
		{ NS, "rule a drop icmp6\n", "a" },
		{ NS, "rule a drop icmp6 icmp-type 136\n", NULL },
		{ NS, "rule a drop ip6 from fe80::/10\n", NULL },
		{ NS, "rule a drop ip6\n", "a" },
	};

	(void)state;
	CHECK_ALL(checks);
}

static void sessions(void **state)
{
	static const struct check checks[] = {
		{ SSH, "", NULL },
		{ SSH, "default drop\n", "" },
		{ SSH, "rule a drop tcp to any port 22\n", "a" },
		{ SSH, "rule a drop tcp to any port 23\n", NULL },
		{ SSH, "rule a drop from 192.0.2.0/24\n", "a" },
		{ SSH, "rule a pass from 192.0.2.9\nrule b drop\n", NULL },
		{ SSH, "rule a pass from 192.0.2.8\nrule b drop\n", "b" },
		{ SSH, "rule a drop from not 192.0.2.0/24\n", NULL },
		/* One packet that is lost is enough. */
		{ SSH, "rule a drop length 1400-1500\n", "a" },
		{ SSH, "rule a drop length 1501-9000\n", NULL },
		{ SSH, "rule a drop tcp flags psh/psh\n", "a" },
		{ SSH, "rule a drop tcp flags syn/syn,ack\n", NULL },
		{ SSH, "rule a drop fragment yes\n", NULL },
		{ SSH, "rule a forward\n", "a" },
		{ SSH, "rule a route\n", NULL },
		{ SSH, "rule a redirect eth2\n", "a" },
		{ SSH, "rule a limit 1pps\n", NULL },
		{ SSH, "rule a drop vlan 10\n", NULL },
		{ VLAN, "rule a drop vlan 10\n", "a" },
		{ VLAN, "rule a drop vlan 11\n", NULL },
		{ VLAN, "rule a drop vlan 10 inner-vlan 7\n", NULL },
		{ SSH,
		  "set m mac { 02:00:00:00:00:01 }\nrule a drop mac src @m\n",
		  "a" },
		{ SSH,
		  "set m mac { 02:00:00:00:00:02 }\nrule a drop mac src @m\n",
		  NULL },
		{ SSH,
		  "set m mac { 02:00:00:00:00:01 }\ndefault drop\nrule a pass mac src @m\n",
		  NULL },
		{ SSH6, "rule a drop ip\n", NULL },
		{ SSH6, "rule a drop from 2001:db8::/32\n", "a" },
		{ SSH6, "default drop\nrule a pass from 192.0.2.0/24\n", "" },
	};

	(void)state;
	CHECK_ALL(checks);
}

static void live_sets(void **state)
{
	static const struct check checks[] = {
		{ SSH, "set s live { 192.0.2.0/24 }\nrule a drop from @s\n",
		  "a" },
		{ SSH, "set s live { 192.0.2.0/29 }\nrule a drop from @s\n",
		  NULL },
		{ SSH, "set s live { }\nrule a drop from @s\n", NULL },
		{ SSH, "set s live { }\nrule a drop from not @s\n", "a" },
		{ SSH,
		  "set s live { 192.0.2.9 }\ndefault drop\nrule a pass from @s\n",
		  NULL },
		{ SSH, "set s live { 192.0.2.128/25 }\nrule a drop to @s\n",
		  NULL },
		{ SSH6, "set s live { 2001:db8::8/125 }\nrule a drop from @s\n",
		  "a" },
		{ NS, "set s live { 192.0.2.9 }\nrule a drop from @s\n", NULL },
	};

	(void)state;
	CHECK_ALL(checks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds),
		cmocka_unit_test(sessions),
		cmocka_unit_test(live_sets),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}
