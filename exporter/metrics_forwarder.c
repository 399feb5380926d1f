// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The forwarders' statistics are an object of docs/forwarder.md. A family is a row: which of its
 * parts it is about, and where in such a part the value stands. A row with `each` makes a sample
 * of each number of an object there, labelled by its key: so drops, states and counters have the
 * forwarder's own names, and a new one needs no line here.
 */
#include "metrics.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "exposition.h"

enum part { WHOLE, WORKER, QUEUE, STAGE, SIDE };

struct row {
	enum part part;
	enum sl_metric_type type;
	const char *name, *unit, *help;
	const char *
		at[2]; /* keys to the value; SL_INFO: of texts, which are labels */
	const char *each; /* the label, where it is an object */
	const char *skip; /* this key of it is no sample */
};

static const struct row rows[] = {
	{ WHOLE,
	  SL_GAUGE,
	  "sluice_forwarder_accounted",
	  "",
	  "1: every frame is in exactly one place.",
	  { "accounted" },
	  0,
	  0 },
	{ WHOLE,
	  SL_GAUGE,
	  "sluice_unexplained_packets",
	  "packets",
	  "Packets that no counter accounts for: 0, but for what came in while counters were read.",
	  { "ledger", "unexplained" },
	  0,
	  0 },
	{ WHOLE,
	  SL_COUNTER,
	  "sluice_forwarder_received_packets",
	  "packets",
	  "Packets taken off all RX rings.",
	  { "ledger", "received" },
	  0,
	  0 },
	{ WHOLE,
	  SL_COUNTER,
	  "sluice_forwarder_sent_packets",
	  "packets",
	  "Packets put on all TX rings.",
	  { "ledger", "sent" },
	  0,
	  0 },
	{ WHOLE,
	  SL_COUNTER,
	  "sluice_forwarder_dropped_packets",
	  "packets",
	  "Packets the forwarder dropped.",
	  { "ledger", "dropped" },
	  0,
	  0 },
	{ SIDE,
	  SL_GAUGE,
	  "sluice_ledger_packets",
	  "packets",
	  "The way of an interface's packets, by stage; docs/forwarder.md.",
	  { NULL },
	  "entry",
	  0 },
	{ SIDE,
	  SL_COUNTER,
	  "sluice_nic_packets",
	  "packets",
	  "What the NIC counted since the forwarder began.",
	  { "nic" },
	  "counter",
	  0 },
	{ WORKER,
	  SL_GAUGE,
	  "sluice_worker_frames",
	  "frames",
	  "Frames by state; they add up to the capacity.",
	  { "frames" },
	  "state",
	  "total" },
	{ WORKER,
	  SL_GAUGE,
	  "sluice_worker_capacity_frames",
	  "frames",
	  "Frames of the worker's UMEM.",
	  { "frames", "total" },
	  0,
	  0 },
	{ WORKER,
	  SL_COUNTER,
	  "sluice_worker_violations",
	  "violations",
	  "Frames that came back and were not out: 0, or there is a bug.",
	  { "violations" },
	  0,
	  0 },
	{ WORKER,
	  SL_COUNTER,
	  "sluice_worker_system_calls",
	  "calls",
	  "System calls of the worker.",
	  { "syscalls" },
	  "call",
	  0 },
	{ WORKER,
	  SL_COUNTER,
	  "sluice_worker_idle_polls",
	  "polls",
	  "Busy polls that brought no packet.",
	  { "idle_polls" },
	  0,
	  0 },
	{ WORKER,
	  SL_GAUGE,
	  "sluice_worker_polling",
	  "",
	  "1: the worker does without sleep just now.",
	  { "polling" },
	  0,
	  0 },
	{ WORKER,
	  SL_COUNTER,
	  "sluice_worker_turns",
	  "turns",
	  "How often that changed.",
	  { "turns" },
	  0,
	  0 },
	{ QUEUE,
	  SL_INFO,
	  "sluice_queue",
	  "",
	  "The mode the kernel granted, and why it is copy mode.",
	  { "mode", "copy_reason" },
	  0,
	  0 },
	{ QUEUE,
	  SL_GAUGE,
	  "sluice_queue_busy_polling",
	  "",
	  "1: busy polls of this queue were seen.",
	  { "busy_poll" },
	  0,
	  0 },
	{ QUEUE,
	  SL_GAUGE,
	  "sluice_queue_interrupts_deferred",
	  "",
	  "1: the interface's interrupts are deferred.",
	  { "deferred" },
	  0,
	  0 },
	{ QUEUE,
	  SL_GAUGE,
	  "sluice_queue_link",
	  "",
	  "1: the queue can send.",
	  { "link" },
	  0,
	  0 },
	{ QUEUE,
	  SL_COUNTER,
	  "sluice_queue_received_packets",
	  "packets",
	  "Packets taken off the RX ring.",
	  { "rx", "packets" },
	  0,
	  0 },
	{ QUEUE,
	  SL_COUNTER,
	  "sluice_queue_received_bytes",
	  "bytes",
	  "Bytes taken off the RX ring.",
	  { "rx", "bytes" },
	  0,
	  0 },
	{ QUEUE,
	  SL_COUNTER,
	  "sluice_queue_sent_packets",
	  "packets",
	  "Packets put on the TX ring.",
	  { "tx", "packets" },
	  0,
	  0 },
	{ QUEUE,
	  SL_COUNTER,
	  "sluice_queue_sent_bytes",
	  "bytes",
	  "Bytes put on the TX ring.",
	  { "tx", "bytes" },
	  0,
	  0 },
	{ QUEUE,
	  SL_COUNTER,
	  "sluice_queue_refused_packets",
	  "packets",
	  "Of those sent, dropped by the kernel for want of a carrier.",
	  { "tx", "refused" },
	  0,
	  0 },
	{ QUEUE,
	  SL_COUNTER,
	  "sluice_queue_dropped_packets",
	  "packets",
	  "Packets the forwarder dropped, by reason.",
	  { "drops" },
	  "reason",
	  0 },
	{ QUEUE,
	  SL_COUNTER,
	  "sluice_queue_xdp_events",
	  "events",
	  "The kernel's own counters of the socket (XDP_STATISTICS).",
	  { "xdp" },
	  "event",
	  0 },
	{ STAGE,
	  SL_COUNTER,
	  "sluice_stage_packets",
	  "packets",
	  "Packets that came to a stage.",
	  { "packets" },
	  0,
	  0 },
	{ STAGE,
	  SL_COUNTER,
	  "sluice_stage_dropped_packets",
	  "packets",
	  "Packets that a stage dropped.",
	  { "dropped" },
	  0,
	  0 },
	{ STAGE,
	  SL_COUNTER,
	  "sluice_stage_copied_packets",
	  "packets",
	  "Packets that a stage copied.",
	  { "copied" },
	  0,
	  0 },
	{ STAGE,
	  SL_COUNTER,
	  "sluice_stage_lost_packets",
	  "packets",
	  "Copies that a stage could not keep.",
	  { "lost" },
	  0,
	  0 },
};

/* Which part of which forwarder a sample is of. */
struct place {
	const char *forwarder;
	enum part part;
	size_t number, worker;
	const json_t *object;
};

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static void labels(struct sl_exposition *e, const struct place *place)
{
	const json_t *object = place->object;

	sl_exposition_label(e, "forwarder", place->forwarder);
	switch (place->part) {
	case WORKER:
		sl_exposition_number_label(e, "worker", place->number);
		break;
	case QUEUE:
		sl_exposition_number_label(e, "worker", place->worker);
		sl_exposition_label(e, "interface",
				    text_of(object, "interface"));
		sl_exposition_number_label(
			e, "queue",
			(uint64_t)json_integer_value(
				json_object_get(object, "queue")));
		break;
	case STAGE:
		sl_exposition_number_label(e, "position", place->number);
		sl_exposition_label(e, "stage", text_of(object, "stage"));
		sl_exposition_label(e, "target", text_of(object, "target"));
		break;
	case SIDE:
		sl_exposition_label(e, "interface", text_of(object, "name"));
		break;
	default:
		break;
	}
}

static bool is_value(const json_t *value)
{
	return json_is_number(value) || json_is_boolean(value);
}

static void put_value(struct sl_exposition *e, const json_t *value)
{
	if (json_is_boolean(value))
		sl_exposition_count(e, json_is_true(value));
	else if (json_is_integer(value) && json_integer_value(value) >= 0)
		sl_exposition_count(e, (uint64_t)json_integer_value(value));
	else
		sl_exposition_real(e, json_number_value(value));
}

static void put_info(struct sl_exposition *e, const struct row *row,
		     const struct place *place)
{
	if (!json_object_get(place->object, row->at[0]))
		return;
	labels(e, place);
	for (int i = 0; i < 2 && row->at[i]; i++)
		if (text_of(place->object, row->at[i])[0])
			sl_exposition_label(e, row->at[i],
					    text_of(place->object, row->at[i]));
	sl_exposition_count(e, 1);
}

static void put(struct sl_exposition *e, const struct row *row,
		const struct place *place)
{
	json_t *value = (json_t *)place->object, *item;
	const char *key;

	if (row->type == SL_INFO) {
		put_info(e, row, place);
		return;
	}
	for (int i = 0; i < 2 && row->at[i]; i++)
		value = json_object_get(value, row->at[i]);
	if (!row->each && is_value(value)) {
		labels(e, place);
		put_value(e, value);
	} else if (row->each) {
		json_object_foreach(value, key, item)
		{
			if (!is_value(item) ||
			    (row->skip && strcmp(key, row->skip) == 0))
				continue;
			labels(e, place);
			sl_exposition_label(e, row->each, key);
			put_value(e, item);
		}
	}
}

static void put_array(struct sl_exposition *e, const struct row *row,
		      struct place place, const json_t *array)
{
	json_array_foreach(array, place.number, place.object)
		put(e, row, &place);
}

static void put_forwarder(struct sl_exposition *e, const struct row *row,
			  const json_t *forwarder, const char *name)
{
	struct place place = { name, row->part, 0, 0, forwarder };
	const json_t *workers = json_object_get(forwarder, "workers"), *worker;

	switch (row->part) {
	case WHOLE:
		put(e, row, &place);
		break;
	case WORKER:
		put_array(e, row, place, workers);
		break;
	case QUEUE:
		json_array_foreach(workers, place.worker, worker) put_array(
			e, row, place, json_object_get(worker, "ports"));
		break;
	case STAGE:
		put_array(e, row, place, json_object_get(forwarder, "stages"));
		break;
	case SIDE:
		put_array(e, row, place,
			  json_object_get(json_object_get(forwarder, "ledger"),
					  "interfaces"));
		break;
	}
}

/*
 * A forwarder is named by its configuration, which stays when it is started anew. Where several
 * have one name, the process id keeps them apart: two equal series would spoil the whole text.
 */
static void name_of(const json_t *forwarders, size_t i, char *name,
		    size_t bytes)
{
	const json_t *forwarder = json_array_get(forwarders, i), *other;
	const char *config = text_of(forwarder, "config");
	size_t k;

	snprintf(name, bytes, "%s", config);
	json_array_foreach(forwarders, k,
			   other) if (k != i && strcmp(text_of(other, "config"),
						       config) == 0)
		snprintf(name, bytes, "%s#%lld", config,
			 (long long)json_integer_value(
				 json_object_get(forwarder, "pid")));
}

void sl_metrics_forwarders(struct sl_exposition *e, const json_t *forwarders)
{
	const json_t *forwarder;
	char name[4096 + 32];
	size_t i;

	for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
		sl_exposition_family(e, rows[r].type, rows[r].name,
				     rows[r].unit, rows[r].help);
		json_array_foreach(forwarders, i, forwarder)
		{
			name_of(forwarders, i, name, sizeof(name));
			put_forwarder(e, &rows[r], forwarder, name);
		}
	}
}
