// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "state.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <jansson.h>

#include "findings.h"
#include "snapshot.h"
#include "lib/clock.h"
#include "lib/jsontext.h"

static json_t *counter_json(struct sl_counter c)
{
	return json_pack("{s:I, s:I}", "packets", (json_int_t)c.packets,
			 "bytes", (json_int_t)c.bytes);
}

static double seconds_since(uint64_t now_ns, uint64_t then_ns)
{
	return now_ns > then_ns ? (double)(now_ns - then_ns) / 1e9 : 0;
}

static json_t *rule_json(const struct sl_snapshot *s,
			 const struct sl_snapshot_interface *f, size_t i)
{
	const struct sl_rule_stats *rule = &f->stats.rules[i];
	uint64_t expires_ns = rule->name.expires_ns;
	json_t *hit = f->hit_ns[i] ?
			      json_real(seconds_since(s->at_ns, f->hit_ns[i])) :
			      json_null();
	json_t *left = expires_ns ?
			       json_real(seconds_since(expires_ns, s->at_ns)) :
			       json_null();

	return json_pack("{s:o, s:i, s:s, s:b, s:o, s:o, s:o}", "name",
			 sl_json_text(rule->name.name), "position",
			 (int)rule->name.position, "verdict",
			 sl_rule_name_action(&rule->name), "observe",
			 rule->name.flags & SL_STEP_OBSERVE, "matched",
			 counter_json(rule->counter), "hit_seconds", hit,
			 "expires_seconds", left);
}

static int by_packets(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x < y) - (x > y);
}

/* What a rule must have counted to be among the first SL_STATE_RULES. */
static int least_packets(const struct sl_stats *stats, uint64_t *least)
{
	uint64_t *counts;

	*least = 0;
	if (stats->n_rules <= SL_STATE_RULES)
		return 0;
	counts = malloc(stats->n_rules * sizeof(*counts));
	if (!counts)
		return -ENOMEM;
	for (size_t i = 0; i < stats->n_rules; i++)
		counts[i] = stats->rules[i].counter.packets;
	qsort(counts, stats->n_rules, sizeof(*counts), by_packets);
	*least = counts[SL_STATE_RULES - 1];
	free(counts);
	return 0;
}

/* In the order of evaluation. Those that count as little as the last one: the first of them. */
static json_t *rules_json(const struct sl_snapshot *s,
			  const struct sl_snapshot_interface *f)
{
	const struct sl_stats *stats = &f->stats;
	size_t above = 0, equal;
	json_t *list = json_array();
	uint64_t least;

	if (!list || least_packets(stats, &least)) {
		json_decref(list);
		return NULL;
	}
	for (size_t i = 0; i < stats->n_rules; i++)
		above += stats->rules[i].counter.packets > least;
	equal = above < SL_STATE_RULES ? SL_STATE_RULES - above : 0;
	for (size_t i = 0; i < stats->n_rules; i++) {
		uint64_t packets = stats->rules[i].counter.packets;

		if (packets < least || (packets == least && !equal))
			continue;
		equal -= packets == least;
		json_array_append_new(list, rule_json(s, f, i));
	}
	return list;
}

static json_t *ports_json(const struct sl_top *top)
{
	json_t *list = json_array();

	for (size_t i = 0; i < top->n; i++)
		json_array_append_new(
			list,
			json_pack("{s:s, s:i, s:o}", "proto",
				  sl_port_proto_text(top->ports[i].proto),
				  "port", (int)top->ports[i].port, "received",
				  counter_json(top->ports[i].counter)));
	return list;
}

static json_t *sets_json(const struct sl_sets *sets)
{
	json_t *list = json_array();

	for (size_t i = 0; i < sets->n; i++)
		json_array_append_new(
			list,
			json_pack("{s:o, s:b, s:I, s:I}", "name",
				  sl_json_text(sets->items[i].name), "live",
				  (int)sets->items[i].live, "items",
				  (json_int_t)sets->items[i].items, "most",
				  (json_int_t)sets->items[i].most));
	return list;
}

static json_t *interface_json(const struct sl_snapshot *s,
			      const struct sl_snapshot_interface *f)
{
	json_t *reasons = json_object(), *verdicts = json_object();
	const struct sl_totals *totals = &f->stats.totals;

	for (int r = 0; r < SL_REASON_COUNT; r++)
		json_object_set_new(reasons, sl_reason_text(r),
				    counter_json(sl_totals_reason(totals, r)));
	for (int v = 0; v < SL_VERDICT_COUNT; v++)
		json_object_set_new(verdicts, sl_verdict_text(v),
				    counter_json(sl_totals_verdict(totals, v)));
	return json_pack(
		"{s:o, s:s, s:s, s:b, s:I, s:s, s:o, s:o, s:o, s:I, s:o, s:o, s:o}",
		"name", sl_json_text(f->name), "mode", f->mode, "attached",
		f->attached, "up", (int)f->up, "generation",
		(json_int_t)f->generation, "default", f->policy, "rx",
		counter_json(totals->rx), "verdicts", verdicts, "reasons",
		reasons, "rules_total", (json_int_t)f->stats.n_rules, "rules",
		rules_json(s, f), "ports", ports_json(&f->top), "sets",
		sets_json(&f->sets));
}

static json_t *pressure_json(const struct sl_pressure *p)
{
	json_t *list = json_array();

	for (uint32_t cpu = 0; cpu < sl_pressure_cpus(p); cpu++) {
		struct sl_pressure_figure f = sl_pressure_get(p, cpu);

		if (sl_pressure_counted(p, cpu).online)
			json_array_append_new(
				list,
				json_pack("{s:i, s:f, s:f, s:f}", "cpu",
					  (int)cpu, "pressure", f.pressure,
					  "deferred", f.deferred, "exhausted",
					  f.exhausted));
	}
	return list;
}

int sl_state_print(const struct sl_snapshots *snapshots, FILE *out)
{
	const struct sl_snapshot *s = &snapshots->last;
	json_t *list = json_array(), *root;
	char host[256] = "";
	int err = 0;

	gethostname(host, sizeof(host) - 1);
	for (size_t i = 0; i < s->n_interfaces; i++)
		json_array_append_new(list,
				      interface_json(s, &s->interfaces[i]));
	/* What failed above is NULL, and json_array_append_new() left it out. */
	if (json_array_size(list) != s->n_interfaces) {
		json_decref(list);
		return -ENOMEM;
	}
	root = json_pack("{s:o, s:f, s:f, s:f, s:o, s:O, s:o, s:o}", "host",
			 sl_json_text(host), "clock_seconds",
			 (double)s->at_ns / 1e9, "age_seconds",
			 seconds_since(sl_clock_ns(), s->at_ns),
			 "watched_seconds",
			 seconds_since(s->at_ns, snapshots->started_ns),
			 "interfaces", list, "forwarders", s->forwarders,
			 "pressure", pressure_json(snapshots->pressure),
			 "findings", sl_findings_json(s));
	if (!root)
		return -ENOMEM;
	if (json_dumpf(root, out, JSON_COMPACT | JSON_REAL_PRECISION(15)))
		err = -EIO;
	json_decref(root);
	return err;
}
