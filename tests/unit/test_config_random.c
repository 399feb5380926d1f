/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The configuration language under random input: parse(print(c)) equals c,
 * field by field, for random configurations of the whole syntax; and whatever
 * becomes of a configuration whose bytes were changed, cut or doubled, it ends
 * in a configuration or in messages. SLUICE_SEED repeats a run.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "lib/config.h"
#include "same_config.h"

#define ROUND_TRIPS 2000
#define MUTATIONS 8000

struct random {
	uint64_t state;
	FILE *out;
};

static unsigned below(struct random *r, unsigned n)
{
	/* splitmix64 */
	uint64_t z = r->state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (unsigned)((z ^ z >> 31) % n);
}

static bool maybe(struct random *r)
{
	return below(r, 2);
}

static void separator(struct random *r)
{
	static const char *const all[] = { ", ", ";", "\n\t", " ,\n",
					   "; # x\n" };

	fputs(all[below(r, 5)], r->out);
}

/* A name of its own number; in quotes by chance, or because it must. */
static void name(struct random *r, const char *stem, unsigned i)
{
	static const char *const odd[] = { "tcp", "fib",       "pass",
					   "a b", "\\\"q\\\\", "\xc3\xa4",
					   "{" };

	if (i < 7 && strcmp(stem, "if"))
		fprintf(r->out, "\"%s\"", odd[i]);
	else if (i < 2)
		fprintf(r->out, "\"%s\"", i ? "tcp" : "fib");
	else
		fprintf(r->out, maybe(r) ? "%s%u.1-x" : "\"%s%u.1-x\"", stem,
			i);
}

static void prefix(struct random *r, int family)
{
	if (family == 4)
		fprintf(r->out, "%u.%u.%u.%u", below(r, 224), below(r, 256),
			below(r, 256), below(r, 256));
	else
		fprintf(r->out, "2%03x:%x::%x", below(r, 4096), below(r, 65536),
			below(r, 65536));
	if (maybe(r))
		fprintf(r->out, "/%u", below(r, family == 4 ? 33 : 129));
}

static void address(struct random *r, const char *direction, int family,
		    unsigned n_sets)
{
	unsigned n = 1 + below(r, 12);

	fprintf(r->out, " %s ", direction);
	if (!below(r, 4)) {
		fputs("any", r->out);
		return;
	}
	if (!below(r, 3))
		fputs("not ", r->out);
	if (n_sets && !below(r, 3)) {
		putc('@', r->out);
		name(r, "set",
		     2 * below(r,
			       (n_sets + 1) / 2)); /* the even hold addresses */
		return;
	}
	if (maybe(r)) {
		prefix(r, family);
		return;
	}
	putc('{', r->out);
	while (n--) {
		prefix(r, family);
		separator(r);
	}
	putc('}', r->out);
}

static void ports(struct random *r)
{
	unsigned n = 1 + below(r, 10), low;

	if (!below(r, 4)) {
		fputs(" port any", r->out);
		return;
	}
	fputs(" port {", r->out);
	while (n--) {
		low = below(r, 65536);
		fprintf(r->out, "%u", low);
		if (maybe(r))
			fprintf(r->out, "-%u", low + below(r, 65536 - low));
		separator(r);
	}
	putc('}', r->out);
}

static void verdict(struct random *r)
{
	static const char *const plain[] = {
		"pass",
		"drop",
		"bounce",
		"count",
		"redirect fib",
		"forward",
		"forward fallback drop",
		"route fallback pass",
		"log",
		"redirect \"from\"",
		"redirect eth9",
	};

	switch (below(r, 6)) {
	case 0:
		fprintf(r->out, " limit %u%s%s", 1 + below(r, 5000),
			below(r, 2) ? "k" : "M", maybe(r) ? "pps" : "bps");
		if (maybe(r))
			fprintf(r->out, " burst %u", 1 + below(r, 5000));
		if (maybe(r))
			fputs(" per source", r->out);
		else if (maybe(r))
			fprintf(r->out, " per source /%u /%u", 1 + below(r, 32),
				1 + below(r, 128));
		break;
	case 1:
		fprintf(r->out, " log sample %u", 1 + below(r, 10000));
		break;
	default:
		fprintf(r->out, " %s", plain[below(r, 11)]);
	}
}

static void options(struct random *r, unsigned n_sets)
{
	static const char *const fragments[] = { "first", "later", "yes",
						 "no" };
	static const char *const units[] = { "ns", "us", "ms", "s",
					     "m",  "h",	 "d",  "" };

	if (maybe(r))
		fprintf(r->out, " fragment %s", fragments[below(r, 4)]);
	if (maybe(r))
		fprintf(r->out, " length %u-%u", below(r, 50),
			50 + below(r, 50));
	if (maybe(r))
		fprintf(r->out, " dscp %u", below(r, 64));
	if (maybe(r))
		fprintf(r->out, " vlan %u", below(r, 4096));
	if (maybe(r))
		fprintf(r->out, " inner-vlan 0x%x", below(r, 4096));
	if (n_sets > 1 && maybe(r)) {
		fprintf(r->out, " mac %s %s@", maybe(r) ? "src" : "dst",
			maybe(r) ? "not " : "");
		name(r, "set", 1); /* the odd hold MACs */
	}
	if (maybe(r))
		fputs(" observe", r->out);
	if (maybe(r))
		fprintf(r->out, " expires %u%s", 1 + below(r, 30000),
			units[below(r, 8)]);
	if (maybe(r)) {
		fputs(" owner ", r->out);
		name(r, "owner", below(r, 12));
	}
	if (maybe(r))
		fprintf(r->out, " band %u", below(r, 4));
}

static void rule(struct random *r, unsigned i, unsigned n_interfaces,
		 unsigned n_sets)
{
	static const char *const with_ports[] = { "tcp", "udp", "sctp" };
	static const char *const with_types[] = { "icmp", "icmp6" };
	int family = maybe(r) ? 4 : 6;
	bool has_ports = maybe(r), has_type = !has_ports && maybe(r);
	unsigned transport = below(r, 3);

	fputs("rule ", r->out);
	name(r, "rule", i);
	verdict(r);
	if (n_interfaces && maybe(r)) {
		fputs(" on ", r->out);
		name(r, "if", below(r, n_interfaces));
	}
	if (has_ports)
		fprintf(r->out, " %s", with_ports[transport]);
	else if (has_type)
		fprintf(r->out, " %s", with_types[family == 6]);
	else if (maybe(r))
		fprintf(r->out, " proto %u", below(r, 256));
	else if (maybe(r))
		fputs(family == 4 ? " ip" : " ip6", r->out);
	if (maybe(r)) {
		address(r, "from", family, n_sets);
		if (has_ports && maybe(r))
			ports(r);
	}
	if (maybe(r)) {
		address(r, "to", family, n_sets);
		if (has_ports && maybe(r))
			ports(r);
	}
	if (has_type && maybe(r))
		fprintf(r->out, " icmp-type %u%s", below(r, 256),
			maybe(r) ? " code 3" : "");
	if (has_ports && transport == 0 && maybe(r))
		fprintf(r->out, " flags %s/0x%x", maybe(r) ? "syn" : "2",
			2 + 4 * below(r, 63));
	if (maybe(r))
		fprintf(r->out, " ethertype %u", family == 4 ? 0x0800 : 0x86dd);
	options(r, n_sets);
	putc('\n', r->out);
}

static void set(struct random *r, unsigned i)
{
	unsigned n = below(r, 20);

	fputs("set ", r->out);
	name(r, "set", i);
	fprintf(r->out, "%s%s%s {", i % 2 ? " mac" : "",
		maybe(r) ? " live" : "", maybe(r) ? " max 5000" : "");
	while (n--) {
		if (i % 2)
			fprintf(r->out, "02:00:00:00:%02X:%02x", below(r, 256),
				below(r, 256));
		else
			prefix(r, maybe(r) ? 4 : 6);
		separator(r);
	}
	fputs("}\n", r->out);
}

static void forwarder(struct random *r, unsigned n_interfaces)
{
	static const char *const polls[] = { "sleep", "adaptive", "busy",
					     "busy budget 64 defer 2",
					     "sleep timeout 200us" };
	static const char *const stages[] = { "police 10Mbps", "mirror x",
					      "capture \"/a b\" sample 7",
					      "stage \"s.so\"", "capture c" };

	fputs("forwarder {", r->out);
	if (n_interfaces > 1) {
		fputs("wire ", r->out);
		name(r, "if", 0);
		putc(' ', r->out);
		name(r, "if", 1);
	} else {
		fputs("route", r->out);
	}
	separator(r);
	fprintf(r->out, "workers %s cpus 3,%u-%u", maybe(r) ? "auto" : "3",
		4 + below(r, 4), 8 + below(r, 9));
	separator(r);
	fprintf(r->out, "poll %s", polls[below(r, 5)]);
	separator(r);
	for (unsigned n = below(r, 5); n; n--) {
		fputs(stages[below(r, 5)], r->out);
		separator(r);
	}
	fputs("}\n", r->out);
}

static char *generate(struct random *r)
{
	unsigned n_interfaces = below(r, 5), n_sets = below(r, 5);
	char *text = NULL;
	size_t length = 0;

	r->out = open_memstream(&text, &length);
	assert_non_null(r->out);
	for (unsigned i = 0; i < n_interfaces; i++) {
		fputs(i % 2 ? ", " : "interface ", r->out);
		name(r, "if", i);
		if (i % 2 || i + 1 == n_interfaces)
			fprintf(r->out, " { mode %s; %s }\n",
				maybe(r) ? "auto" : "generic",
				maybe(r) ? "frags on" : "count source-port");
	}
	if (maybe(r))
		fprintf(r->out, "default %s\n", maybe(r) ? "pass" : "drop");
	if (maybe(r))
		fprintf(r->out, "limits { rules %u; tables %uM }\n",
			20 + below(r, 999), 1 + below(r, 999));
	for (unsigned i = 0; i < n_sets; i++)
		set(r, i);
	for (unsigned n = below(r, 20), i = 0; i < n; i++)
		rule(r, i, n_interfaces, n_sets);
	if (maybe(r))
		forwarder(r, n_interfaces);
	if (maybe(r))
		fputs("extension after 2 \"e.o\"\nmetrics { listen \"::1\" }\n",
		      r->out);
	assert_int_equal(fclose(r->out), 0);
	return text;
}

static struct sl_config *parse(const char *text)
{
	struct sl_diags diags = { 0 };
	struct sl_config *config = NULL;

	if (sl_config_parse(text, strlen(text), "random", &diags, &config)) {
		sl_diags_print(&diags, stderr);
		fail_msg("refused:\n%s", text);
	}
	sl_diags_fini(&diags);
	return config;
}

static char *print(const struct sl_config *config)
{
	char *text = NULL;
	size_t length = 0;
	FILE *f = open_memstream(&text, &length);

	assert_non_null(f);
	assert_int_equal(sl_config_print(config, 0, f), 0);
	assert_int_equal(fclose(f), 0);
	return text;
}

static void round_trips(void **state)
{
	struct random *r = *state;

	for (int i = 0; i < ROUND_TRIPS; i++) {
		char *text = generate(r), *first, *second;
		struct sl_config *a = parse(text), *b;

		first = print(a);
		b = parse(first);
		second = print(b);
		if (!same_config(a, b))
			fail_msg("differs:\n%s\nfrom\n%s", first, text);
		assert_string_equal(first, second);
		sl_config_free(a);
		sl_config_free(b);
		free(text);
		free(first);
		free(second);
	}
}

/* Changes, cuts or doubles some bytes; the result has at most `length` more. */
static size_t mutate(struct random *r, char *text, size_t length)
{
	static const char marks[] = "{},;\"\\\n#@/\0\xff\x7f";

	for (unsigned n = 1 + below(r, 4); n && length; n--) {
		size_t at = below(r, (unsigned)length);

		if (maybe(r))
			text[at] = marks[below(r, sizeof(marks) - 1)];
		else if (maybe(r))
			text[at] = (char)below(r, 256);
		else if (maybe(r))
			length = at;
		else
			memmove(text + at / 2, text + at, length - at);
	}
	return length;
}

static void mutations(void **state)
{
	struct random *r = *state;
	unsigned refused = 0;

	for (int i = 0; i < MUTATIONS; i++) {
		struct sl_diags diags = { 0 };
		struct sl_config *config = NULL;
		char *text = generate(r);
		size_t length = mutate(r, text, strlen(text));
		int err = sl_config_parse(text, length, "random", &diags,
					  &config);

		assert_true(err ? err == -EINVAL && diags.n_errors && !config :
				  !diags.n_errors && config);
		assert_true(diags.n_errors <= 20);
		refused += err != 0;
		if (!err)
			(void)sl_config_check_effective(config, &diags);
		sl_config_free(config);
		sl_diags_fini(&diags);
		free(text);
	}
	/* Most mutations break something, and some change a value only. */
	assert_in_range(refused, MUTATIONS / 10, MUTATIONS - MUTATIONS / 100);
}

int main(void)
{
	const char *seed = getenv("SLUICE_SEED");
	struct random r = { .state = seed ? strtoull(seed, NULL, 0) :
					    (uint64_t)time(NULL) };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(round_trips, &r),
		cmocka_unit_test_prestate(mutations, &r),
	};

	fprintf(stderr, "# SLUICE_SEED=%llu\n", (unsigned long long)r.state);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("config_random", tests, NULL, NULL);
}
