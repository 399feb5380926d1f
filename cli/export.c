// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Samples of `log` rules to an sFlow collector:
 *
 *   ring of each interface -> sl_samples -> export_sample() --+
 *   every --counters seconds -> export_counters() ------------+-> datagram -> UDP
 *
 * A datagram goes when the next sample has no room in it, or a second after its
 * first one. Each interface is a data source of its own, with its own sequence
 * numbers. A ring has one reader, so no two processes export one interface, and
 * the first interface tells them apart (sub-agent).
 *
 * The pool of packets that samples are chosen from is what the samples stand for.
 * What a rule has counted is exact, but ahead of the samples in the ring, and
 * collectors (pmacct) divide the difference of two pools by that of two sequence
 * numbers, from sample to sample.
 *
 * sFlow numbers never fall, while counters of a filter begin anew with it: what
 * is sent is what they have grown by since the export began.
 *
 * It goes on whatever happens to the collector, the interfaces and the filters;
 * what changes is said once.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "filters.h"
#include "options.h"
#include "sampled.h"
#include "signals.h"
#include "lib/clock.h"
#include "lib/collector.h"
#include "lib/error.h"
#include "lib/linkstats.h"
#include "lib/observe.h"
#include "lib/samples.h"
#include "lib/sampling.h"
#include "lib/sflow.h"

#define SECOND_NS 1000000000u
#define FLUSH_NS SECOND_NS /* the oldest that a sample gets here */
#define COUNTERS_S 30	   /* as hsflowd */
#define COUNTERS_MOST_S 86400
#define WAIT_NS (SECOND_NS / 2)

/* How old the losses may be that go with a sample: reading them is a system call. */
#define TOTALS_NS (SECOND_NS / 10)

/* Of a counter: what it has grown by. */
struct growth {
	uint64_t last, total;
	bool known; /* last */
};

/* An interface. */
struct origin {
	const char *name;
	struct sl_sampling sampling;
	uint32_t packets, counters; /* samples so far of each kind */
	struct growth lost, dropped;
	uint64_t totals_ns; /* when these were read */
	uint32_t pool;	    /* packets that its samples stand for */
};

struct settings {
	const char *collector, *agent, *rule; /* as given, or NULL */
	unsigned long counters_s;
};

struct exporter {
	struct settings given;
	struct sl_samples *samples;
	struct sl_collector collector;
	struct sl_sflow_agent agent;
	struct origin *origins;
	size_t n_origins;
	struct sl_sflow datagram;
	uint32_t datagrams;
	uint64_t begun_ns; /* the export */
	uint64_t first_ns; /* sample of the datagram; of none if it is empty */
	uint64_t counters_ns; /* when they are due next */
	uint64_t exported;
	bool waiting; /* for a filter */
};

/* A counter that fell has begun anew: what it had before the next look is lost. */
static void grow(struct growth *growth, uint64_t now)
{
	if (growth->known && now > growth->last)
		growth->total += now - growth->last;
	growth->last = now;
	growth->known = true;
}

static void say_collector(const struct sl_collector *c)
{
	if (c->err)
		fprintf(stderr,
			"sluice: collector %s: %s; what is sent is lost until "
			"it is there\n",
			c->name, strerror(-c->err));
	else
		fprintf(stderr,
			"sluice: collector %s: there again; of %llu "
			"datagrams so far %llu are known to be lost\n",
			c->name, (unsigned long long)c->sent,
			(unsigned long long)c->lost);
}

static void send_datagram(struct exporter *x)
{
	struct sl_sflow *d = &x->datagram;
	uint64_t now_ns = sl_clock_ns();

	if (!d->n_samples)
		return;
	sl_sflow_end(d, ++x->datagrams,
		     (uint32_t)((now_ns - x->begun_ns) / 1000000));
	if (sl_collector_send(&x->collector, d->bytes, d->used, now_ns))
		say_collector(&x->collector);
	sl_sflow_begin(d, &x->agent);
}

/* Before a sample is added to an empty datagram. */
static void note_first(struct exporter *x)
{
	if (!x->datagram.n_samples)
		x->first_ns = sl_clock_ns();
}

static uint64_t sum_drops(const struct sl_totals *totals)
{
	uint64_t packets = 0;

	for (int i = 0; i < SL_REASON_COUNT; i++)
		packets += sl_totals_get(totals, i, SL_VERDICT_DROP)->packets;
	return packets;
}

/* What the filter has counted, unless that was read a moment ago. */
static void read_totals(struct exporter *x, struct origin *o)
{
	const struct sl_filter *filter =
		sl_samples_filter(x->samples, (size_t)(o - x->origins));
	uint64_t now_ns = sl_clock_ns();
	struct sl_totals totals;

	if (!filter || (o->totals_ns && now_ns - o->totals_ns < TOTALS_NS) ||
	    sl_totals_read(filter->map_fd[SL_MAP_TOTALS], &totals) < 0)
		return;
	o->totals_ns = now_ns;
	grow(&o->lost, totals.log_lost.packets);
	grow(&o->dropped, sum_drops(&totals));
}

/* Another generation's sample: by its configuration. */
static void follow_reload(struct exporter *x, struct origin *o,
			  const struct sl_sample *sample)
{
	const struct sl_filter *filter =
		sl_samples_filter(x->samples, sample->interface_index);

	if (!filter || filter->prog_id == o->sampling.prog_id)
		return;
	/* Of the generation before the filter's: it lay in the ring. */
	if (sample->record->generation == o->sampling.generation &&
	    filter->gen.generation != o->sampling.generation)
		return;
	if (sl_sampling_read(filter, &o->sampling))
		fprintf(stderr,
			"sluice: %s: its configuration cannot be read; its "
			"samples are not exported until the next reload\n",
			o->name);
}

static int export_sample(void *context, const struct sl_sample *sample)
{
	struct exporter *x = context;
	struct origin *o = &x->origins[sample->interface_index];
	const struct sl_log_record *r = sample->record;
	struct sl_sflow_packet packet = {
		.input = r->ifindex,
		.dropped = r->verdict == SL_VERDICT_DROP,
		.reason = sl_sflow_reason(r->reason),
		.head = r->head,
		.head_bytes = r->head_bytes,
		.frame_bytes = r->frame_bytes,
		.rule = sample->rule,
	};

	/* sFlow has no time: what lay in the ring would be taken for traffic now. */
	if (r->time_ns < x->begun_ns)
		return 0;
	follow_reload(x, o, sample);
	packet.rate = sl_sampling_rate(&o->sampling, sample, x->given.rule);
	if (!packet.rate)
		return 0;
	read_totals(x, o);
	packet.sequence = ++o->packets;
	packet.lost = (uint32_t)o->lost.total;
	packet.pool = o->pool += packet.rate;
	packet.output = sl_sampling_output(&o->sampling, sample);
	note_first(x);
	if (sl_sflow_add_packet(&x->datagram, &packet)) {
		send_datagram(x);
		note_first(x);
		sl_sflow_add_packet(&x->datagram, &packet);
	}
	x->exported++;
	return 0;
}

/* docs/export.md says what they mean. */
static void export_counters_of(struct exporter *x, struct origin *o)
{
	struct sl_linkstats link;
	struct sl_sflow_counters c;

	if (sl_linkstats_read(o->name, &link))
		return; /* it is gone, or not there again yet */
	read_totals(x, o);
	c = (struct sl_sflow_counters){
		.sequence = ++o->counters,
		.ifindex = link.ifindex,
		.speed_bps = link.speed_bps,
		.duplex = !link.duplex_known ? 0 :
			  link.full_duplex   ? 1 :
					       2,
		.admin_up = link.admin_up,
		.oper_up = link.oper_up,
		.promiscuous = link.promiscuous,
		.in_bytes = link.counted.rx_bytes,
		.in_unicast = (uint32_t)(link.counted.rx_packets -
					 link.counted.multicast),
		.in_multicast = (uint32_t)link.counted.multicast,
		.in_broadcast = SL_SFLOW_NOT_COUNTED,
		.in_discards =
			(uint32_t)(link.counted.rx_dropped + o->dropped.total),
		.in_errors = (uint32_t)link.counted.rx_errors,
		.in_unknown = SL_SFLOW_NOT_COUNTED,
		.out_bytes = link.counted.tx_bytes,
		.out_unicast = (uint32_t)link.counted.tx_packets,
		.out_multicast = SL_SFLOW_NOT_COUNTED,
		.out_broadcast = SL_SFLOW_NOT_COUNTED,
		.out_discards = (uint32_t)link.counted.tx_dropped,
		.out_errors = (uint32_t)link.counted.tx_errors,
	};
	note_first(x);
	if (sl_sflow_add_counters(&x->datagram, &c)) {
		send_datagram(x);
		note_first(x);
		sl_sflow_add_counters(&x->datagram, &c);
	}
}

static void export_counters(struct exporter *x)
{
	for (size_t i = 0; i < x->n_origins; i++)
		export_counters_of(x, &x->origins[i]);
	x->counters_ns = sl_clock_ns() + x->given.counters_s * SECOND_NS;
}

/* What the clock asks for; milliseconds until it may ask again. */
static int on_time(struct exporter *x)
{
	uint64_t now_ns = sl_clock_ns(), next_ns, wait_ns;

	if (now_ns >= x->counters_ns)
		export_counters(x);
	if (x->datagram.n_samples && now_ns >= x->first_ns + FLUSH_NS)
		send_datagram(x);
	next_ns = x->counters_ns;
	if (x->datagram.n_samples && x->first_ns + FLUSH_NS < next_ns)
		next_ns = x->first_ns + FLUSH_NS;
	wait_ns = next_ns > now_ns ? next_ns - now_ns : 0;
	if (wait_ns > WAIT_NS)
		wait_ns = WAIT_NS;
	return (int)(wait_ns / 1000000) + 1;
}

/* Where no filter is left, sl_samples_poll() does not wait. */
static void wait_for_filter(struct exporter *x, int timeout_ms)
{
	if (!x->waiting)
		fputs("sluice: no filter is left to read from; waiting for "
		      "one\n",
		      stderr);
	x->waiting = true;
	poll(NULL, 0, timeout_ms);
}

/* Until a signal comes: then what the rings hold is sent, too. */
static int run(struct exporter *x)
{
	struct sl_error error = { "" };
	int err = 0;

	while (!cli_stopped() && !err) {
		int timeout_ms = on_time(x);

		err = sl_samples_poll(x->samples, timeout_ms, export_sample, x,
				      &error);
		if (err == -ENODATA) {
			wait_for_filter(x, timeout_ms);
			err = 0;
		} else {
			x->waiting = false;
		}
	}
	if (!err)
		err = sl_samples_drain(x->samples, export_sample, x, &error);
	send_datagram(x);
	fprintf(stderr,
		"sluice: %llu samples exported in %llu datagrams; %llu of them "
		"are known to be lost\n",
		(unsigned long long)x->exported,
		(unsigned long long)x->collector.sent,
		(unsigned long long)x->collector.lost);
	return err ? cli_fail(err, error.text) : CLI_OK;
}

/* The agent's address: as given, or that of this end of the socket. */
static int set_agent(struct exporter *x)
{
	struct sl_sflow_agent *a = &x->agent;
	const char *given = x->given.agent;

	a->sub_agent = if_nametoindex(x->origins[0].name);
	if (!given)
		a->family = sl_collector_source(&x->collector, a->addr);
	else if (inet_pton(AF_INET, given, a->addr) == 1)
		a->family = 4;
	else if (inet_pton(AF_INET6, given, a->addr) == 1)
		a->family = 6;
	else {
		fprintf(stderr,
			"sluice: --agent %s: not an IPv4 or IPv6 address\n",
			given);
		return CLI_USAGE;
	}
	return CLI_OK;
}

/* With the rings and the collector open. */
static int begin(struct exporter *x, char (*names)[IF_NAMESIZE])
{
	int status = cli_sampled_check(x->samples, names, x->n_origins,
				       x->given.rule);

	if (status == CLI_OK)
		status = set_agent(x);
	if (status != CLI_OK)
		return status;
	sl_sflow_begin(&x->datagram, &x->agent);
	x->begun_ns = x->counters_ns = sl_clock_ns();
	for (size_t i = 0; i < x->n_origins; i++)
		read_totals(x, &x->origins[i]); /* where they begin to grow */
	fprintf(stderr, "sluice: exporting to %s\n", x->collector.name);
	return run(x);
}

static int open_all(struct exporter *x, char (*names)[IF_NAMESIZE])
{
	struct sl_error error = { "" };
	int status, err;

	/* First, so that who sees the rings held may end this by a signal. */
	cli_catch_signals();
	err = sl_collector_open(x->given.collector, SL_SFLOW_PORT,
				&x->collector, &error);
	if (err)
		return cli_fail(err, error.text);
	err = sl_samples_open(names, x->n_origins, &x->samples, &error);
	status = err ? cli_fail(err, error.text) : begin(x, names);
	if (!err)
		sl_samples_close(x->samples);
	sl_collector_close(&x->collector);
	return status;
}

static int with_origins(struct exporter *x, char (*names)[IF_NAMESIZE])
{
	int status;

	x->origins = calloc(x->n_origins, sizeof(*x->origins));
	if (!x->origins)
		return cli_fail(-ENOMEM, "out of memory");
	for (size_t i = 0; i < x->n_origins; i++)
		x->origins[i].name = names[i];
	status = open_all(x, names);
	for (size_t i = 0; i < x->n_origins; i++)
		sl_sampling_fini(&x->origins[i].sampling);
	free(x->origins);
	return status;
}

static int with_interfaces(struct exporter *x, char **arguments,
			   int n_arguments)
{
	int status;
	char(*names)[IF_NAMESIZE] = cli_filters_names(arguments, n_arguments,
						      &x->n_origins, &status);

	if (!names)
		return status;
	status = x->n_origins ? with_origins(x, names) :
				cli_fail(-ENODEV, CLI_NO_FILTER);
	free(names);
	return status;
}

int cli_export(const struct cli_command *command, int argc, char **argv)
{
	struct exporter x = { .given.counters_s = COUNTERS_S };
	const char *counters = NULL;
	const struct cli_option options[] = {
		{ "sflow", .value = &x.given.collector },
		{ "agent", .value = &x.given.agent },
		{ "counters", .value = &counters },
		{ "rule", .value = &x.given.rule },
		{ 0 }
	};

	if (cli_options_read(command, options, argc, argv) != CLI_OK)
		return CLI_USAGE;
	if (!x.given.collector)
		return cli_usage(command);
	if (counters &&
	    cli_option_number("--counters", counters, COUNTERS_MOST_S,
			      &x.given.counters_s) != CLI_OK)
		return CLI_USAGE;
	return with_interfaces(&x, argv + optind, argc - optind);
}
