// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "top_read.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cli.h"
#include "filters.h"
#include "forwarders.h"
#include "top_sources.h"
#include "lib/clock.h"
#include "lib/observe.h"

/* What a reading is made from, beside `struct top_reading`. */
struct reading_of {
	const struct top_reader *reader;
	json_t *forwarders;
	char (*names)[IF_NAMESIZE]; /* of the reading's interfaces, as they are */
};

/* Room for one more of both lists. */
static int grow(struct reading_of *of, struct top_reading *reading)
{
	size_t n = reading->n_interfaces + 1;
	struct top_interface *interfaces =
		reallocarray(reading->interfaces, n, sizeof(*interfaces));
	char(*names)[IF_NAMESIZE];

	if (!interfaces)
		return -ENOMEM;
	reading->interfaces = interfaces;
	names = reallocarray(of->names, n, sizeof(*names));
	if (!names)
		return -ENOMEM;
	of->names = names;
	return 0;
}

static int read_interface(const struct cli_filter *f, struct reading_of *of,
			  struct top_reading *reading)
{
	struct top_interface *on;
	struct sl_totals totals;
	int err = sl_totals_read(f->filter.map_fd[SL_MAP_TOTALS], &totals);

	if (!err)
		err = grow(of, reading);
	if (err)
		return err;
	memcpy(of->names[reading->n_interfaces], f->attachment.interface,
	       IF_NAMESIZE);
	on = &reading->interfaces[reading->n_interfaces++];
	*on = (struct top_interface){ .present = true };
	top_clean(f->attachment.interface, on->name, sizeof(on->name));
	snprintf(on->mode, sizeof(on->mode), "%s",
		 sl_attachment_mode(&f->attachment));
	on->generation = f->filter.gen.generation;
	on->rx = totals.rx;
	on->dropped = sl_totals_verdict(&totals, SL_VERDICT_DROP);
	return 0;
}

/* What was counted; 0 or -ENOMEM. */
static int put(struct top_table *table, const char *interface, const char *name,
	       const char *detail, struct sl_counter counter)
{
	struct top_row *row = top_table_add(table, interface, name, detail);

	if (!row)
		return -ENOMEM;
	row->counter = counter;
	return 0;
}

static int read_verdicts(const struct cli_filter *f, struct top_table *table)
{
	struct sl_totals totals;
	int err = sl_totals_read(f->filter.map_fd[SL_MAP_TOTALS], &totals);

	for (int v = 0; v < SL_VERDICT_COUNT && !err; v++)
		for (int r = 0; r < SL_REASON_COUNT && !err; r++) {
			const struct sl_counter *c =
				sl_totals_get(&totals, r, v);

			if (!c->packets)
				continue;
			err = put(table, f->attachment.interface,
				  sl_verdict_text(v), sl_reason_text(r), *c);
			if (!err)
				top_row_tell_apart(&table->rows[table->n - 1]);
		}
	return err;
}

static int read_rules(const struct cli_filter *f, struct top_table *table)
{
	struct sl_stats stats;
	int err = sl_stats_read(&f->filter, &stats);

	if (err)
		return err;
	for (size_t i = 0; i < stats.n_rules && !err; i++) {
		const struct sl_rule_name *name = &stats.rules[i].name;
		char what[TOP_DETAIL];

		snprintf(what, sizeof(what), "%s%s", sl_rule_name_action(name),
			 name->flags & SL_STEP_OBSERVE ? " (observe)" : "");
		err = put(table, f->attachment.interface, name->name, what,
			  stats.rules[i].counter);
	}
	sl_stats_fini(&stats);
	return err;
}

static int read_ports(const struct cli_filter *f, struct top_table *table)
{
	struct sl_counter(*counters)[65536] =
		calloc(SL_PORT_PROTOS, sizeof(*counters));
	int err = counters ? sl_ports_read(&f->filter, counters) : -ENOMEM;

	for (unsigned port = 0; port < SL_PORT_PROTOS * 65536u && !err;
	     port++) {
		const struct sl_counter *c =
			&counters[port / 65536][port % 65536];
		char name[16];

		if (!c->packets)
			continue;
		snprintf(name, sizeof(name), "%s %u",
			 sl_port_proto_text((uint8_t)(port / 65536)),
			 port % 65536);
		err = put(table, f->attachment.interface, name, "destination",
			  *c);
	}
	free(counters);
	return err;
}

static uint64_t number(const json_t *object, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(object, key));
}

static const char *text(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value ? value : "?";
}

static struct sl_counter counter(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return (struct sl_counter){ number(value, "packets"),
				    number(value, "bytes") };
}

/* A socket: what came in, went out, and was dropped between. */
static int read_port(struct top_table *table, json_t *port)
{
	const char *interface = text(port, "interface");
	unsigned long long queue = number(port, "queue");
	struct sl_counter drops = { 0 };
	char name[TOP_NAME], state[TOP_DETAIL];
	const char *reason;
	json_t *value;
	int err;

	snprintf(state, sizeof(state), "%s%s%s", text(port, "mode"),
		 json_is_true(json_object_get(port, "busy_poll")) ?
			 ", busy poll" :
			 "",
		 json_is_false(json_object_get(port, "link")) ? ", no link" :
								"");
	json_object_foreach(json_object_get(port, "drops"), reason, value)
		drops.packets += (uint64_t)json_integer_value(value);
	snprintf(name, sizeof(name), "queue %llu rx", queue);
	err = put(table, interface, name, state, counter(port, "rx"));
	snprintf(name, sizeof(name), "queue %llu tx", queue);
	if (!err)
		err = put(table, interface, name, state, counter(port, "tx"));
	snprintf(name, sizeof(name), "queue %llu dropped", queue);
	return err ? err : put(table, interface, name, state, drops);
}

/* The frames of a worker by their state: how many there are now. */
static int read_frames(struct top_table *table, const char *process, size_t w,
		       json_t *worker)
{
	bool polls = json_is_true(json_object_get(worker, "polling"));
	const char *state;
	json_t *value;

	json_object_foreach(json_object_get(worker, "frames"), state, value)
	{
		char name[TOP_NAME], detail[TOP_DETAIL];
		struct top_row *row;

		snprintf(name, sizeof(name), "worker %zu %s", w, state);
		snprintf(detail, sizeof(detail), "frames, CPU %lld%s",
			 (long long)number(worker, "cpu"),
			 polls ? ", polling" : "");
		row = top_table_add(table, process, name, detail);
		if (!row)
			return -ENOMEM;
		row->counter.packets = (uint64_t)json_integer_value(value);
		row->level = true;
	}
	return 0;
}

static int read_forwarder(struct top_table *table, json_t *forwarder)
{
	json_t *worker, *port;
	char process[32];
	size_t w, p;
	int err = 0;

	snprintf(process, sizeof(process), "%llu",
		 (unsigned long long)number(forwarder, "pid"));
	json_array_foreach(json_object_get(forwarder, "workers"), w, worker)
	{
		json_array_foreach(json_object_get(worker, "ports"), p,
				   port) if (!err) err = read_port(table, port);
		if (!err)
			err = read_frames(table, process, w, worker);
	}
	return err;
}

static int read_queues(const json_t *forwarders, struct top_reading *reading)
{
	json_t *forwarder;
	size_t i;
	int err = 0;

	json_array_foreach(forwarders, i, forwarder) if (!err)
		err = read_forwarder(&reading->table, forwarder);
	snprintf(reading->note, sizeof(reading->note), "%s",
		 json_array_size(forwarders) ?
			 "The forwarders' sockets, and their workers' frames "
			 "(by process id)." :
			 "No forwarder (sluice-fwd) runs in this network "
			 "namespace, or none that this user may ask.");
	return err;
}

static int read_filters(const struct cli_filters *filters,
			struct reading_of *of, struct top_reading *reading)
{
	static int (*const reads[TOP_TABS])(const struct cli_filter *,
					    struct top_table *) = {
		[TOP_VERDICTS] = read_verdicts,
		[TOP_RULES] = read_rules,
		[TOP_PORTS] = read_ports,
	};
	int err = 0;

	for (size_t i = 0; i < filters->n_items && !err; i++) {
		const struct cli_filter *f = &filters->items[i];

		if (!f->ours)
			continue;
		err = read_interface(f, of, reading);
		if (!err && reads[reading->tab])
			err = reads[reading->tab](f, &reading->table);
	}
	return err;
}

/*
 * Of names each for itself: what is wrong with one (said on stderr) hides no other. CLI_OK
 * or an exit status, and *err what went wrong in here.
 */
static int read_interfaces(struct reading_of *of, struct top_reading *reading,
			   int *err)
{
	const struct top_reader *reader = of->reader;
	struct cli_filters filters;
	int status, i = 0;

	do {
		status = cli_filters_open(reader->names + i, !!reader->n_names,
					  reader->n_names ? CLI_FILTERS_ANY : 0,
					  &filters);
		if (status != CLI_OK)
			continue;
		*err = read_filters(&filters, of, reading);
		cli_filters_close(&filters);
	} while (++i < reader->n_names && !*err);
	return reader->n_names ? CLI_OK : status;
}

int top_read(const struct top_reader *reader, enum top_tab tab,
	     struct top_reading *reading)
{
	struct reading_of of = { .reader = reader };
	int status, err = 0;

	*reading = (struct top_reading){ .tab = tab };
	/* First: the filters may take us to another mount namespace. */
	if (tab == TOP_QUEUES)
		of.forwarders = cli_forwarders_ask();
	status = read_interfaces(&of, reading, &err);
	reading->at_ns = sl_clock_ns();
	if (status == CLI_OK && !err && tab == TOP_QUEUES)
		err = read_queues(of.forwarders, reading);
	if (status == CLI_OK && !err && tab == TOP_SOURCES)
		err = top_sources_read(reader->sources, of.names,
				       reading->n_interfaces, reading);
	if (err)
		status = cli_fail(err, strerror(-err));
	if (status != CLI_OK)
		top_reading_fini(reading);
	free(of.names);
	json_decref(of.forwarders);
	return status;
}
