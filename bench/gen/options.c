// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

#define RATE_MAX 1000000000ull
#define SECONDS_MAX (30ull * 24 * 3600)
#define NS 1000000000ull
#define MS 1000000ull
/* Lines are printed by a loop that wakes every 20 ms. */
#define STATS_MIN_MS 100

/* Sets one option; -EINVAL, with *error what was expected. */
typedef int set_fn(struct options *o, const char *text, const char **error);

static int set_proto(struct options *o, const char *text, const char **error)
{
	o->tcp = !strcmp(text, "tcp");
	*error = "udp or tcp";
	return o->tcp || !strcmp(text, "udp") ? 0 : -EINVAL;
}

static int set_src(struct options *o, const char *text, const char **error)
{
	return sl_gen_range_parse_address(text, &o->src, error);
}

static int set_dst(struct options *o, const char *text, const char **error)
{
	return sl_gen_range_parse_address(text, &o->dst, error);
}

static int set_sport(struct options *o, const char *text, const char **error)
{
	return sl_gen_range_parse_port(text, &o->sport, error);
}

static int set_dport(struct options *o, const char *text, const char **error)
{
	return sl_gen_range_parse_port(text, &o->dport, error);
}

static int set_src_mac(struct options *o, const char *text, const char **error)
{
	o->src_mac_given = true;
	return sl_gen_range_parse_mac(text, o->src_mac, error);
}

static int set_dst_mac(struct options *o, const char *text, const char **error)
{
	o->dst_mac_given = true;
	return sl_gen_range_parse_mac(text, o->dst_mac, error);
}

static int set_size(struct options *o, const char *text, const char **error)
{
	uint64_t number;

	*error = "a frame size of 60 to 65535 bytes, without FCS";
	if (sl_gen_range_parse_number(text, 60, 65535, &number))
		return -EINVAL;
	o->size_bytes = (uint32_t)number;
	return 0;
}

static int set_vlan(struct options *o, const char *text, const char **error)
{
	uint64_t number;

	*error = "a VLAN id, 0-4094";
	if (sl_gen_range_parse_number(text, 0, 4094, &number))
		return -EINVAL;
	o->vlan_given = true;
	o->vlan = (uint16_t)number;
	return 0;
}

static int set_flags(struct options *o, const char *text, const char **error)
{
	return sl_gen_range_parse_flags(text, &o->flags, error);
}

static int set_random(struct options *o, const char *text, const char **error)
{
	(void)text;
	(void)error;
	o->random = true;
	return 0;
}

static int set_seed(struct options *o, const char *text, const char **error)
{
	*error = "a number above 0";
	return sl_gen_range_parse_number(text, 1, UINT64_MAX, &o->seed);
}

static int set_pcap(struct options *o, const char *text, const char **error)
{
	(void)error;
	o->pcap = text;
	return 0;
}

static int set_rate(struct options *o, const char *text, const char **error)
{
	*error = "packets per second, 1 to 1G: 1000, 20k, 1.5M";
	return sl_gen_range_parse_scaled(text, 1, RATE_MAX, &o->rate_pps);
}

static int set_count(struct options *o, const char *text, const char **error)
{
	*error = "a number of packets above 0: 1000, 20k, 1.5M";
	return sl_gen_range_parse_scaled(text, 1, UINT64_MAX, &o->count);
}

/* Seconds down to thousandths, of at least `low_ms`. */
static int parse_seconds(const char *text, uint64_t low_ms, uint64_t *ns)
{
	uint64_t number;
	size_t length = strlen(text);
	char scaled[32];

	if (!length || length > 20 || !strchr("0123456789", text[length - 1]))
		return -EINVAL;
	/* Thousandths come from reading seconds as thousands. */
	snprintf(scaled, sizeof(scaled), "%sk", text);
	if (sl_gen_range_parse_scaled(scaled, low_ms, SECONDS_MAX * 1000,
				      &number))
		return -EINVAL;
	*ns = number * MS;
	return 0;
}

static int set_duration(struct options *o, const char *text, const char **error)
{
	*error = "seconds, 0.001 to 2592000";
	return parse_seconds(text, 1, &o->duration_ns);
}

static int set_stats(struct options *o, const char *text, const char **error)
{
	*error = "seconds, 0.1 to 2592000";
	return parse_seconds(text, STATS_MIN_MS, &o->stats_ns);
}

static int set_batch(struct options *o, const char *text, const char **error)
{
	uint64_t number;

	*error = "frames a batch, 1-256";
	if (sl_gen_range_parse_number(text, 1, OPTIONS_BATCH_MAX, &number))
		return -EINVAL;
	o->batch = (uint32_t)number;
	return 0;
}

static int set_threads(struct options *o, const char *text, const char **error)
{
	uint64_t number;

	*error = "threads, 1-64";
	if (sl_gen_range_parse_number(text, 1, OPTIONS_THREADS_MAX, &number))
		return -EINVAL;
	o->threads = (uint32_t)number;
	return 0;
}

static int set_cpus(struct options *o, const char *text, const char **error)
{
	return sl_gen_range_parse_cpus(text, o->cpus, OPTIONS_THREADS_MAX,
				       &o->n_cpus, error);
}

static int set_json(struct options *o, const char *text, const char **error)
{
	(void)text;
	(void)error;
	o->json = true;
	return 0;
}

static int set_force(struct options *o, const char *text, const char **error)
{
	(void)text;
	(void)error;
	o->force = true;
	return 0;
}

static int set_help(struct options *o, const char *text, const char **error)
{
	(void)text;
	(void)error;
	o->help = true;
	return 0;
}

/* What makes no sense with --pcap, which brings whole frames. */
#define SHAPES 1u

static const struct entry {
	const char *name;
	const char *value; /* NULL: takes none */
	set_fn *set;
	unsigned int kind;
	const char *help;
} table[] = {
	{ "proto", "udp|tcp", set_proto, SHAPES, "default udp" },
	{ "src", "RANGE", set_src, SHAPES,
	  "ADDR, ADDR/LEN or ADDR-ADDR; default 198.18.0.1" },
	{ "dst", "RANGE", set_dst, SHAPES,
	  "likewise; default 198.18.0.2 (RFC 2544)" },
	{ "sport", "N[-M]", set_sport, SHAPES, "source port, default 1024" },
	{ "dport", "N[-M]", set_dport, SHAPES,
	  "destination port, default 9 (discard)" },
	{ "src-mac", "MAC", set_src_mac, SHAPES,
	  "default: the interface's own" },
	{ "dst-mac", "MAC", set_dst_mac, SHAPES, "default 02:00:00:00:00:02" },
	{ "size", "BYTES", set_size, SHAPES,
	  "frame without FCS; default: the shortest from 60" },
	{ "vlan", "ID", set_vlan, SHAPES, "one 802.1Q tag" },
	{ "flags", "FLAGS", set_flags, SHAPES,
	  "TCP: syn,ack,... or a number; default syn" },
	{ "random", NULL, set_random, SHAPES,
	  "draw from each range; default: count up" },
	{ "seed", "N", set_seed, SHAPES, "of --random, to repeat a run" },
	{ "pcap", "FILE", set_pcap, 0,
	  "replay a pcap or pcapng file, from its start again" },
	{ "rate", "PPS", set_rate, 0,
	  "1000, 20k, 1.5M; default: as fast as it goes" },
	{ "count", "N", set_count, 0, "stop after N packets" },
	{ "duration", "SECONDS", set_duration, 0,
	  "stop after that time; default 10, with --count and --rate 10 more than these take" },
	{ "batch", "N", set_batch, 0, "frames a batch, 1-256, default 64" },
	{ "threads", "N", set_threads, 0,
	  "each on a CPU of its own; default 1" },
	{ "cpus", "LIST", set_cpus, 0, "which CPUs: 0,2-3" },
	{ "stats", "SECONDS", set_stats, 0,
	  "a line on stderr that often, 0.1 or more" },
	{ "json", NULL, set_json, 0, "the result as JSON" },
	{ "force", NULL, set_force, 0,
	  "send even out of the interface of the default route" },
	{ "help", NULL, set_help, 0, "this" },
};

#define ENTRIES (sizeof(table) / sizeof(table[0]))

void sl_gen_options_help(FILE *out)
{
	fputs("Usage: sluice-gen IFACE [OPTION...]\n\n"
	      "Sends packets made in the kernel (BPF_PROG_RUN, live frames) out of IFACE, as\n"
	      "native XDP redirect does. Always bounded, by time if by nothing else.\n\n",
	      out);
	for (size_t i = 0; i < ENTRIES; i++)
		fprintf(out, "  --%-8s %-8s  %s\n", table[i].name,
			table[i].value ? table[i].value : "", table[i].help);
	fputs("\nExit status: 0 done, 1 the input is wrong, 2 usage, 3 the system refused.\n",
	      out);
}

/* Addresses stand in for what was not given, in the family of what was. */
static int complete_addresses(struct options *o, FILE *err)
{
	static const char *const src[2] = { "198.18.0.1", "2001:2::1" };
	static const char *const dst[2] = { "198.18.0.2", "2001:2::2" };
	const char *error;
	int six;

	if (o->src.family && o->dst.family && o->src.family != o->dst.family) {
		fputs("sluice-gen: --src and --dst: one is IPv4, the other IPv6; "
		      "give both from one family\n",
		      err);
		return -EINVAL;
	}
	six = o->src.family == 6 || o->dst.family == 6;
	if (!o->src.family)
		sl_gen_range_parse_address(src[six], &o->src, &error);
	if (!o->dst.family)
		sl_gen_range_parse_address(dst[six], &o->dst, &error);
	return 0;
}

static int complete_bounds(struct options *o, FILE *err)
{
	if (!o->n_cpus && !o->threads)
		o->threads = 1;
	if (!o->threads)
		o->threads = (uint32_t)o->n_cpus;
	if (o->n_cpus && o->n_cpus < o->threads) {
		fprintf(err,
			"sluice-gen: --cpus: %zu for %u threads; each thread needs its own\n",
			o->n_cpus, o->threads);
		return -EINVAL;
	}
	if (o->count && o->count < o->threads)
		o->threads = (uint32_t)o->count;
	if (o->rate_pps && o->rate_pps < o->threads)
		o->threads = (uint32_t)o->rate_pps;
	if (o->duration_ns)
		return 0;
	o->duration_ns = OPTIONS_SECONDS * NS;
	if (o->count && o->rate_pps) {
		uint64_t seconds = o->count / o->rate_pps + OPTIONS_SECONDS;

		o->duration_ns =
			(seconds < SECONDS_MAX ? seconds : SECONDS_MAX) * NS;
	}
	return 0;
}

static int refuse_mix(const struct options *o, const bool *given, FILE *err)
{
	for (size_t i = 0; o->pcap && i < ENTRIES; i++) {
		if (!given[i] || table[i].kind != SHAPES)
			continue;
		fprintf(err,
			"sluice-gen: --%s: the frames come from --pcap %s as they are; "
			"leave one of the two out\n",
			table[i].name, o->pcap);
		return -EINVAL;
	}
	for (size_t i = 0; i < ENTRIES; i++) {
		if (given[i] && table[i].set == set_flags && !o->tcp) {
			fputs("sluice-gen: --flags: only TCP has them; add --proto tcp\n",
			      err);
			return -EINVAL;
		}
	}
	return 0;
}

static int take(struct options *o, size_t index, const char *value, FILE *err)
{
	const char *error = "a value";

	if (table[index].set(o, value, &error) == 0)
		return 0;
	fprintf(err, "sluice-gen: --%s %s: expected %s\n", table[index].name,
		value, error);
	return -EINVAL;
}

static int take_interface(struct options *o, int argc, char **argv, FILE *err)
{
	if (o->help)
		return 0;
	if (optind + 1 != argc || !*argv[optind]) {
		fprintf(err,
			"sluice-gen: expected one interface, found %d; see --help\n",
			argc - optind);
		return -EINVAL;
	}
	o->interface = argv[optind];
	return 0;
}

int sl_gen_options_parse(int argc, char **argv, struct options *options,
			 FILE *err)
{
	struct option longs[ENTRIES + 1] = { 0 };
	struct options o = {
		.batch = OPTIONS_BATCH,
		.sport = { .first = 1024 },
		.dport = { .first = 9 },
		.dst_mac = { 2, 0, 0, 0, 0, 2 },
		.flags = 0x02,
	};
	bool given[ENTRIES] = { false };
	int found, index;

	for (size_t i = 0; i < ENTRIES; i++) {
		longs[i].name = table[i].name;
		longs[i].has_arg = table[i].value ? required_argument :
						    no_argument;
	}
	optind = 0; /* starts getopt anew: the unit tests parse many lines */
	opterr = 0;
	while ((found = getopt_long(argc, argv, ":", longs, &index)) != -1) {
		if (found) {
			fprintf(err, "sluice-gen: %s: %s; see --help\n",
				argv[optind - 1],
				found == ':' ? "needs a value" :
					       "no such option");
			return -EINVAL;
		}
		given[index] = true;
		if (take(&o, (size_t)index, optarg, err))
			return -EINVAL;
	}
	if (take_interface(&o, argc, argv, err) || refuse_mix(&o, given, err) ||
	    complete_addresses(&o, err) || complete_bounds(&o, err))
		return -EINVAL;
	*options = o;
	return 0;
}
