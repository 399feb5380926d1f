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

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static bool same_addr(const struct sl_addr *a, const struct sl_addr *b)
{
	return a->kind == b->kind && a->written == b->written &&
	       a->negated == b->negated && a->n_prefixes == b->n_prefixes &&
	       (!a->n_prefixes ||
		!memcmp(a->prefixes, b->prefixes,
			a->n_prefixes * sizeof(*a->prefixes))) &&
	       same_text(a->set ? a->set->name : NULL,
			 b->set ? b->set->name : NULL);
}

static bool same_ports(const struct sl_ports *a, const struct sl_ports *b)
{
	return a->any == b->any && a->written == b->written &&
	       a->n_ranges == b->n_ranges &&
	       (!a->n_ranges || !memcmp(a->ranges, b->ranges,
					a->n_ranges * sizeof(*a->ranges)));
}

static bool same_mac_match(const struct sl_mac_match *a,
			   const struct sl_mac_match *b)
{
	return a->negated == b->negated &&
	       same_text(a->set ? a->set->name : NULL,
			 b->set ? b->set->name : NULL);
}

static bool same_options(const struct sl_options *a, const struct sl_options *b)
{
	return a->written == b->written && a->flags_value == b->flags_value &&
	       a->flags_mask == b->flags_mask && a->icmp_type == b->icmp_type &&
	       a->icmp_code == b->icmp_code && a->fragment == b->fragment &&
	       a->length_low == b->length_low &&
	       a->length_high == b->length_high && a->dscp == b->dscp &&
	       a->vlan == b->vlan && a->inner_vlan == b->inner_vlan &&
	       a->ethertype == b->ethertype &&
	       same_mac_match(&a->mac_src, &b->mac_src) &&
	       same_mac_match(&a->mac_dst, &b->mac_dst) &&
	       a->expires_ns == b->expires_ns && a->band == b->band &&
	       same_text(a->owner, b->owner);
}

static bool same_verdict(const struct sl_action_spec *a,
			 const struct sl_action_spec *b)
{
	return a->action == b->action && same_text(a->device, b->device) &&
	       a->fallback_drop == b->fallback_drop &&
	       a->rate.value == b->rate.value && a->rate.bits == b->rate.bits &&
	       a->burst == b->burst && a->per_source == b->per_source &&
	       a->source4_bits == b->source4_bits &&
	       a->source6_bits == b->source6_bits && a->sample == b->sample;
}

static bool same_rule(const struct sl_rule *a, const struct sl_rule *b)
{
	return same_text(a->name, b->name) && same_text(a->on, b->on) &&
	       same_verdict(&a->verdict, &b->verdict) && a->proto == b->proto &&
	       a->proto_number == b->proto_number &&
	       same_addr(&a->src, &b->src) && same_addr(&a->dst, &b->dst) &&
	       same_ports(&a->sport, &b->sport) &&
	       same_ports(&a->dport, &b->dport) &&
	       same_options(&a->options, &b->options);
}

static bool same_set(const struct sl_set *a, const struct sl_set *b)
{
	return same_text(a->name, b->name) && a->mac == b->mac &&
	       a->live == b->live && a->max == b->max &&
	       a->n_items == b->n_items && a->n_prefixes == b->n_prefixes &&
	       a->n_macs == b->n_macs &&
	       (!a->n_prefixes ||
		!memcmp(a->prefixes, b->prefixes,
			a->n_prefixes * sizeof(*a->prefixes))) &&
	       (!a->n_macs ||
		!memcmp(a->macs, b->macs, a->n_macs * sizeof(*a->macs)));
}

static bool same_interface(const struct sl_interface *a,
			   const struct sl_interface *b)
{
	return same_text(a->name, b->name) && a->mode == b->mode &&
	       a->attach == b->attach && a->frags == b->frags &&
	       a->count_source_port == b->count_source_port;
}

static bool same_forwarder(const struct sl_forwarder *a,
			   const struct sl_forwarder *b)
{
	bool same = a->given == b->given && a->n_wires == b->n_wires &&
		    a->route == b->route && a->workers == b->workers &&
		    a->n_cpus == b->n_cpus && a->poll == b->poll &&
		    a->poll_budget == b->poll_budget &&
		    a->poll_defer == b->poll_defer &&
		    a->poll_timeout_ns == b->poll_timeout_ns &&
		    a->zerocopy == b->zerocopy && a->n_stages == b->n_stages;

	for (size_t i = 0; same && i < a->n_wires; i++)
		same = same_text(a->wires[i].a, b->wires[i].a) &&
		       same_text(a->wires[i].b, b->wires[i].b);
	for (size_t i = 0; same && i < a->n_cpus; i++)
		same = a->cpus[i] == b->cpus[i];
	for (size_t i = 0; same && i < a->n_stages; i++)
		same = a->stages[i].kind == b->stages[i].kind &&
		       a->stages[i].rate.value == b->stages[i].rate.value &&
		       a->stages[i].rate.bits == b->stages[i].rate.bits &&
		       a->stages[i].sample == b->stages[i].sample &&
		       same_text(a->stages[i].target, b->stages[i].target) &&
		       same_text(a->stages[i].rule, b->stages[i].rule);
	return same;
}

static bool same_config(const struct sl_config *a, const struct sl_config *b)
{
	bool same = a->n_interfaces == b->n_interfaces &&
		    a->default_given == b->default_given &&
		    a->default_drop == b->default_drop &&
		    a->limits.given == b->limits.given &&
		    a->limits.rules == b->limits.rules &&
		    a->limits.tables_bytes == b->limits.tables_bytes &&
		    a->limits.sets_bytes == b->limits.sets_bytes &&
		    a->n_sets == b->n_sets && a->n_rules == b->n_rules &&
		    a->n_extensions == b->n_extensions &&
		    a->metrics.given == b->metrics.given &&
		    a->metrics.ports == b->metrics.ports &&
		    same_text(a->metrics.listen, b->metrics.listen) &&
		    same_forwarder(&a->forwarder, &b->forwarder);

	for (size_t i = 0; same && i < a->n_interfaces; i++)
		same = same_interface(&a->interfaces[i], &b->interfaces[i]);
	for (size_t i = 0; same && i < a->n_sets; i++)
		same = same_set(a->sets[i], b->sets[i]);
	for (size_t i = 0; same && i < a->n_rules; i++)
		same = same_rule(&a->rules[i], &b->rules[i]);
	for (size_t i = 0; same && i < a->n_extensions; i++)
		same = a->extensions[i].after == b->extensions[i].after &&
		       a->extensions[i].slot == b->extensions[i].slot &&
		       same_text(a->extensions[i].path, b->extensions[i].path);
	return same;
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
