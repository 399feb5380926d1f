/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The configuration language: what each statement comes to, what is refused
 * and where, and what is not effective yet. Round trips and hostile input are
 * in test_config_random.c; the wording of messages is in tests/golden.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/config.h"
#include "sluice/abi.h"

static struct sl_config *parse_ok(const char *text)
{
	struct sl_diags diags = { 0 };
	struct sl_config *config = NULL;
	int err =
		sl_config_parse(text, strlen(text), "t.conf", &diags, &config);

	if (err)
		sl_diags_print(&diags, stderr);
	assert_int_equal(err, 0);
	assert_non_null(config);
	sl_diags_fini(&diags);
	return config;
}

/* The first error stands at LINE:COLUMN and holds `words`. */
static void refuse_at(const char *text, unsigned line, unsigned column,
		      const char *words)
{
	struct sl_diags diags = { 0 };
	struct sl_config *config = (void *)&diags; /* must stay */

	assert_int_equal(sl_config_parse(text, strlen(text), "t.conf", &diags,
					 &config),
			 -EINVAL);
	assert_ptr_equal(config, &diags);
	assert_true(diags.n_errors >= 1);
	if (!strstr(diags.items[0].message, words) ||
	    diags.items[0].pos.line != line ||
	    diags.items[0].pos.column != column)
		fail_msg("%s\ngave %u:%u: %s\nwanted %u:%u: %s", text,
			 diags.items[0].pos.line, diags.items[0].pos.column,
			 diags.items[0].message, line, column, words);
	assert_string_equal(diags.items[0].file, "t.conf");
	sl_diags_fini(&diags);
}

static void statements(void **state)
{
	struct sl_config *c = parse_ok(
		"interface eth0.100, br-lan { mode generic\n frags on; attach shared,"
		" count source-port }\ninterface enp3s0f0np0\n"
		"default drop # comment\n"
		"limits { rules 7; tables 64M; sets 3K }\n"
		"extension after 3 \"x\\\"y\\\\.o\"\r\n"
		"metrics { listen \"[::1]:9\"; ports 5 }\n");

	(void)state;
	assert_int_equal(c->n_interfaces, 3);
	assert_string_equal(c->interfaces[1].name, "br-lan");
	assert_int_equal(c->interfaces[1].mode, SL_MODE_GENERIC);
	assert_int_equal(c->interfaces[1].attach, SL_ATTACH_SHARED);
	assert_true(c->interfaces[1].frags &&
		    c->interfaces[0].count_source_port);
	assert_int_equal(c->interfaces[0].statement,
			 c->interfaces[1].statement);
	assert_int_not_equal(c->interfaces[1].statement,
			     c->interfaces[2].statement);
	assert_int_equal(c->interfaces[2].mode, SL_MODE_NATIVE);
	assert_true(c->default_given && c->default_drop);
	assert_int_equal(c->limits.tables_bytes, 64 << 20);
	assert_int_equal(c->limits.sets_bytes, 3072);
	assert_string_equal(c->extensions[0].path, "x\"y\\.o");
	assert_int_equal(c->metrics.ports, 5);
	assert_non_null(sl_config_interface(c, "br-lan"));
	assert_null(sl_config_interface(c, "br"));
	sl_config_free(c);
}

static void rule_parts(void **state)
{
	struct sl_config *c = parse_ok(
		"interface a\nset s { 10.1.2.3/8, ::1 }\nset m mac { 02:00:00:00:00:0a }\n"
		"rule r limit 3Mbps burst 9 per source /24 /48 on a tcp from not @s"
		" port { 1, 5-9 } to { 192.0.2.1\n 198.51.100.0/24 } port any"
		" flags syn/0x12 fragment no length 60-1500 dscp 46 vlan 0"
		" inner-vlan 4095 ethertype 0x0800 mac src not @m mac dst @m"
		" observe expires 90m owner x band 3\n"
		"rule first redirect \"fib\" proto 47\n");
	const struct sl_rule *r = &c->rules[1]; /* band 0 goes first */
	const struct sl_options *o = &r->options;

	(void)state;
	assert_string_equal(c->rules[0].name, "first");
	assert_int_equal(c->rules[0].verdict.action, SL_ACTION_REDIRECT);
	assert_string_equal(c->rules[0].verdict.device, "fib");
	assert_int_equal(c->rules[0].proto_number, 47);
	assert_int_equal(r->verdict.rate.value, 3000000);
	assert_true(r->verdict.rate.bits && r->verdict.per_source);
	assert_int_equal(r->verdict.source4_bits, 24);
	assert_int_equal(r->verdict.source6_bits, 48);
	assert_ptr_equal(r->src.set, c->sets[0]);
	assert_true(r->src.negated && !r->dst.negated);
	assert_int_equal(c->sets[0]->prefixes[0].addr[1], 0); /* masked */
	assert_int_equal(r->sport.n_ranges, 2);
	assert_int_equal(r->sport.ranges[1].high, 9);
	assert_true(r->dport.any && r->dport.written);
	assert_int_equal(r->dst.n_prefixes, 2);
	assert_int_equal(o->flags_value, 2);
	assert_int_equal(o->flags_mask, 0x12);
	assert_int_equal(o->length_high, 1500);
	assert_int_equal(o->inner_vlan, 4095);
	assert_int_equal(o->expires_ns, 5400000000000);
	assert_true(o->mac_src.negated && o->mac_dst.set == c->sets[1]);
	assert_int_equal(o->fragment, SL_FRAG_NO);
	sl_config_free(c);
}

static void forwarder(void **state)
{
	struct sl_config *c = parse_ok(
		"interface tcp, b\nrule w forward fallback drop\n"
		"forwarder { wire tcp \"b\"; workers 2 cpus 7,0-2, poll busy timeout"
		" 50us budget 64\n zero-copy require; police 10Mbps\n"
		"capture \"/c\" rule w sample 5; stage \"s.so\" }\n");
	const struct sl_forwarder *f = &c->forwarder;

	(void)state;
	assert_int_equal(f->n_cpus, 4);
	assert_int_equal(f->cpus[0], 7);
	assert_int_equal(f->cpus[3], 2);
	assert_int_equal(f->poll, SL_POLL_BUSY);
	assert_int_equal(f->poll_timeout_ns, 50000);
	assert_int_equal(f->zerocopy, SL_ZC_REQUIRE);
	assert_int_equal(f->n_stages, 3);
	assert_int_equal(f->stages[1].sample, 5);
	assert_true(c->rules[0].verdict.fallback_drop);
	sl_config_free(c);
}

static void refusals(void **state)
{
	(void)state;
	refuse_at("default maybe\n", 1, 9,
		  "expected pass or drop, found maybe");
	refuse_at("default \"pass\"\n", 1, 9, "expected pass or drop");
	refuse_at("default pass; default drop", 1, 13, "end of the line");
	refuse_at("rule a pass\nrule a drop", 2, 6, "line 1");
	refuse_at("set a { }\nset a { }", 2, 5, "line 1");
	refuse_at("interface a, a", 1, 14, "line 1");
	refuse_at("rule a drop from @x", 1, 18, "no set \"x\"");
	refuse_at("set m mac { }\nrule a drop from @m", 2, 18, "MAC");
	refuse_at("set m { }\nrule a drop mac src @m", 2, 21, "IP");
	refuse_at("rule a drop from any port 5", 1, 6, "tcp, udp or sctp");
	refuse_at("rule a drop icmp-type 3", 1, 13, "icmp6");
	refuse_at("rule a drop udp flags syn/syn", 1, 17, "tcp");
	refuse_at("rule a drop tcp to any port 9-5", 1, 29, "upside down");
	refuse_at("rule a drop tcp to any port 65536", 1, 29, "65535");
	refuse_at("rule a drop vlan 4096", 1, 18, "4095");
	refuse_at("rule a drop from 1.2.3.4/33", 1, 18, "over 32");
	refuse_at("rule a drop from ::/129", 1, 18, "over 128");
	refuse_at("rule a drop ip6 from 10.0.0.0/8", 1, 6, "never match");
	refuse_at("rule a drop icmp6 to { 1.2.3.4 }", 1, 6, "never match");
	refuse_at("rule a drop from ::1 to 1.2.3.4", 1, 6, "never match");
	refuse_at("rule a drop tcp ethertype 2054", 1, 6, "never match");
	refuse_at("rule a drop on eth7", 1, 16, "interface \"eth7\"");
	refuse_at("rule a drop on tcp", 1, 16, "quotes");
	refuse_at("rule a drop to any from any", 1, 20, "order");
	refuse_at("rule a drop tcp flags syn/ack", 1, 23, "never match");
	refuse_at("rule a limit 0kpps", 1, 14, "out of range");
	refuse_at("rule a limit 5", 1, 14, "rate");
	refuse_at("interface a234567890123456", 1, 11, "15 bytes");
	refuse_at("set s { 1.2.3.4, 02:00:00:00:00:0a }", 1, 18, "MAC");
	refuse_at("set s mac { 02:00:00:00:00:0a, ::1 }", 1, 32, "IP");
	refuse_at("interface a\nforwarder { wire a a }", 2, 13, "two ends");
	refuse_at("interface a\nforwarder { wire a b }", 2, 13, "\"b\"");
	refuse_at("interface a, b, c\nforwarder { wire a b\nwire b c }", 3, 1,
		  "already");
	refuse_at("forwarder { workers 1 }", 1, 1, "nowhere");
	refuse_at("set s { 1.2.3.4", 1, 7, "never closed");
	refuse_at("rule \"abc", 1, 6, "does not end");
	refuse_at("rule \"a\\n\" pass", 1, 8, "backslash");
	refuse_at("rule \x01 pass", 1, 6, "no text");
	refuse_at("set s { file \"/nonexistent/x\" }", 1, 14, "cannot be read");
	refuse_at("interface eth1 { mode auto\nrule a pass\n", 1, 16, "closed");
	refuse_at(
		"rule a2345678901234567890123456789012345678901234567890123456789"
		"12345 pass",
		1, 6, "63 bytes");
}

static void many_errors(void **state)
{
	struct sl_diags diags = { 0 };
	struct sl_config *config;
	char text[4096] = "";

	(void)state;
	for (int i = 0; i < 3; i++)
		strcat(text, "rule x dorp\nrule { }\n");
	assert_int_equal(sl_config_parse(text, strlen(text), "t", &diags,
					 &config),
			 -EINVAL);
	assert_int_equal(diags.n_errors, 6); /* one a statement */
	sl_diags_fini(&diags);
	for (int i = 0; i < 60; i++)
		strcat(text, "dorp\n");
	assert_int_equal(sl_config_parse(text, strlen(text), "t", &diags,
					 &config),
			 -EINVAL);
	assert_int_equal(diags.n_errors, 20);
	sl_diags_fini(&diags);
}

static void rules_max(void **state)
{
	char *text = NULL;
	size_t length = 0;
	FILE *f = open_memstream(&text, &length);
	struct sl_config *c;
	char *newline;

	(void)state;
	for (int i = 0; i <= SL_RULES_DEFAULT; i++)
		fprintf(f, "rule r%d pass\n", i);
	fprintf(f, "limits { rules %d }\n", SL_RULES_DEFAULT + 1);
	fclose(f);
	c = parse_ok(text);
	assert_int_equal(c->n_rules, SL_RULES_DEFAULT + 1);
	sl_config_free(c);
	*strstr(text, "limits") = '\0';
	refuse_at(text, SL_RULES_DEFAULT + 1, 6, "16385 rules");
	newline = strchr(text, '\n');
	c = parse_ok(newline + 1);
	assert_int_equal(c->n_rules, SL_RULES_DEFAULT);
	sl_config_free(c);
	free(text);
}

struct files {
	char folder[32], config[64], set[64];
};

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void files_open(struct files *f, const char *items)
{
	strcpy(f->folder, "/tmp/sluice-config-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	snprintf(f->config, sizeof(f->config), "%s/a.conf", f->folder);
	snprintf(f->set, sizeof(f->set), "%s/s.txt", f->folder);
	write_file(f->config, "\nset s { 9.9.9.9, file \"s.txt\" }\n");
	write_file(f->set, items);
}

static void files_close(struct files *f)
{
	unlink(f->config);
	unlink(f->set);
	rmdir(f->folder);
}

/* What is stored with a loaded filter needs no set files any more. */
static void expand(const struct sl_config *c)
{
	struct sl_config *again;
	char *text = NULL;
	size_t length = 0;
	FILE *f = open_memstream(&text, &length);

	assert_int_equal(sl_config_print(c, SL_PRINT_EXPAND, f), 0);
	fclose(f);
	assert_null(strstr(text, "file"));
	again = parse_ok(text);
	assert_int_equal(again->sets[0]->n_prefixes, c->sets[0]->n_prefixes);
	assert_memory_equal(again->sets[0]->prefixes, c->sets[0]->prefixes,
			    c->sets[0]->n_prefixes * sizeof(struct sl_prefix));
	sl_config_free(again);
	free(text);
}

static void set_file(void **state)
{
	struct sl_diags diags = { 0 };
	struct sl_config *c = NULL;
	struct files f;

	(void)state;
	files_open(&f,
		   "# head\n10.0.0.0/8 # tail\n\n\t2001:db8::/32\r\n1.1.1.1");
	assert_int_equal(sl_config_read(f.config, &diags, &c), 0);
	assert_int_equal(c->sets[0]->n_items, 2);
	assert_int_equal(c->sets[0]->n_prefixes, 4);
	assert_int_equal(c->sets[0]->prefixes[2].family, 6);
	expand(c);
	sl_config_free(c);
	write_file(f.set, "10.0.0.0/8\n  10.0.0.300\n");
	assert_int_equal(sl_config_read(f.config, &diags, &c), -EINVAL);
	assert_int_equal(diags.n_errors, 1);
	assert_string_equal(diags.items[0].file, f.set);
	assert_int_equal(diags.items[0].pos.line, 2);
	assert_int_equal(diags.items[0].pos.column, 3);
	assert_string_equal(diags.items[0].line, "  10.0.0.300");
	sl_diags_fini(&diags);
	files_close(&f);
	assert_int_equal(sl_config_read(f.config, &diags, &c), -EINVAL);
	assert_string_equal(diags.items[0].file, f.config);
	sl_diags_fini(&diags);
}

/* Each must be refused at this column of its last line, and by this word. */
static const struct {
	const char *text, *word;
	unsigned column;
} ineffective[] = {
	{ "set s mac live { }", "mac live", 11 },
	{ "metrics { listen \"here\" }", "metrics: listen", 1 },
	{ "interface a { count source-port }", "count source-port", 15 },
	{ "interface a, b\nforwarder { wire a b }\nrule r route",
	  "route: the forwarder has wires", 8 },
	{ "interface a\nforwarder { route }\nrule r forward fallback drop",
	  "forward: `forwarder { route }`", 8 },
	{ "interface a { attach shared }\nrule q redirect fib\nrule r route",
	  "route: not with `attach shared`", 8 },
	{ "interface a, b\nrule r drop\nforwarder { wire a b; mirror x rule r }",
	  "mirror: rule \"r\": no packet", 32 },
	{ "interface a, b { attach shared }\nrule r forward\n"
	  "forwarder { wire a b; mirror x rule r }",
	  "mirror: rule \"r\": with `attach shared`", 32 },
};

static void effective(void **state)
{
	struct sl_diags diags = { 0 };
	struct sl_config *c = parse_ok(
		"interface a, b { mode auto; attach shared; frags on }\ndefault drop\n"
		"set s { 10.0.0.0/8 }\nrule r forward fallback drop on a tcp from not @s"
		" port 1-5 to { ::/0, 1.0.0.0/8 } port 9 fragment no vlan 5\n"
		"rule q redirect x proto 5\nrule z bounce icmp6\n"
		"forwarder { wire a b; workers 1 cpus 0; poll busy; zero-copy off;"
		" police 1pps; mirror x; capture \"f\" sample 2; stage \"s.so\" }\n"
		"metrics { listen \"/run/m.sock\"; ports 3 }");

	(void)state;
	assert_int_equal(sl_config_check_effective(c, &diags), 0);
	assert_int_equal(diags.n_items, 0);
	sl_config_free(c);
	for (size_t i = 0; i < sizeof(ineffective) / sizeof(ineffective[0]);
	     i++) {
		c = parse_ok(ineffective[i].text);
		assert_int_equal(sl_config_check_effective(c, &diags), -EINVAL);
		assert_int_equal(diags.n_errors, 1);
		assert_non_null(
			strstr(diags.items[0].message, ineffective[i].word));
		assert_non_null(diags.items[0].line);
		assert_int_equal(diags.items[0].pos.column,
				 ineffective[i].column);
		sl_diags_fini(&diags);
		sl_config_free(c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(statements),  cmocka_unit_test(rule_parts),
		cmocka_unit_test(forwarder),   cmocka_unit_test(refusals),
		cmocka_unit_test(many_errors), cmocka_unit_test(rules_max),
		cmocka_unit_test(set_file),    cmocka_unit_test(effective),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
