// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * One function a family, because a family's samples must stand together: each walks the
 * interfaces. Labels are reasons, verdicts and names as `sluice stats --json` has them.
 */
#include "metrics.h"

#include <jansson.h>

#include "channel.h"
#include "exposition.h"
#include "snapshot.h"
#include "lib/pressure.h"

/* Which half of a counter a family is about. */
struct half {
	bool bytes;
	const char *unit;
};

static const struct half halves[] = { { false, "packets" }, { true, "bytes" } };

#define N_HALVES (sizeof(halves) / sizeof(halves[0]))

static uint64_t half_of(const struct half *half,
			const struct sl_counter *counter)
{
	return half->bytes ? counter->bytes : counter->packets;
}

static void received(struct sl_exposition *e, const struct sl_snapshot *s,
		     const struct half *half)
{
	sl_exposition_family(e, SL_COUNTER,
			     half->bytes ? "sluice_received_bytes" :
					   "sluice_received_packets",
			     half->unit,
			     half->bytes ? "Bytes that entered the filter." :
					   "Packets that entered the filter.");
	for (size_t i = 0; i < s->n_interfaces; i++) {
		const struct sl_snapshot_interface *f = &s->interfaces[i];

		sl_exposition_label(e, "interface", f->name);
		sl_exposition_count(e, half_of(half, &f->stats.totals.rx));
	}
}

/* Every cell, also of nothing: a series that begins with its first packet hides that one. */
static void reasons(struct sl_exposition *e, const struct sl_snapshot *s,
		    const struct half *half)
{
	sl_exposition_family(
		e, SL_COUNTER, half->bytes ? "sluice_bytes" : "sluice_packets",
		half->unit,
		half->bytes ?
			"Bytes by what happened to the packet, and why." :
			"Packets by what happened to them, and why; each in one.");
	for (size_t i = 0; i < s->n_interfaces; i++)
		for (int r = 0; r < SL_REASON_COUNT; r++)
			for (int v = 0; v < SL_VERDICT_COUNT; v++) {
				const struct sl_snapshot_interface *f =
					&s->interfaces[i];

				sl_exposition_label(e, "interface", f->name);
				sl_exposition_label(e, "reason",
						    sl_reason_text(r));
				sl_exposition_label(e, "verdict",
						    sl_verdict_text(v));
				sl_exposition_count(
					e,
					half_of(half,
						sl_totals_get(&f->stats.totals,
							      r, v)));
			}
}

static void rules(struct sl_exposition *e, const struct sl_snapshot *s,
		  const struct half *half)
{
	sl_exposition_family(
		e, SL_COUNTER,
		half->bytes ? "sluice_rule_bytes" : "sluice_rule_packets",
		half->unit,
		half->bytes ? "Bytes of packets that matched a rule." :
			      "Packets that matched a rule.");
	for (size_t i = 0; i < s->n_interfaces; i++)
		for (size_t k = 0; k < s->interfaces[i].stats.n_rules; k++) {
			const struct sl_rule_stats *rule =
				&s->interfaces[i].stats.rules[k];

			sl_exposition_label(e, "interface",
					    s->interfaces[i].name);
			sl_exposition_label(e, "rule", rule->name.name);
			sl_exposition_label(e, "verdict",
					    sl_rule_name_action(&rule->name));
			sl_exposition_label(e, "observe",
					    rule->name.flags & SL_STEP_OBSERVE ?
						    "true" :
						    "false");
			sl_exposition_count(e, half_of(half, &rule->counter));
		}
}

static void ports(struct sl_exposition *e, const struct sl_snapshot *s,
		  const struct half *half)
{
	sl_exposition_family(
		e, SL_COUNTER,
		half->bytes ? "sluice_port_bytes" : "sluice_port_packets",
		half->unit,
		half->bytes ?
			"Bytes by destination port: of those with most packets, and those chosen." :
			"Packets by destination port: those with most of them, and those chosen.");
	for (size_t i = 0; i < s->n_interfaces; i++)
		for (size_t k = 0; k < s->interfaces[i].top.n; k++) {
			const struct sl_port_count *port =
				&s->interfaces[i].top.ports[k];

			sl_exposition_label(e, "interface",
					    s->interfaces[i].name);
			sl_exposition_label(e, "proto",
					    sl_port_proto_text(port->proto));
			sl_exposition_number_label(e, "port", port->port);
			sl_exposition_count(e, half_of(half, &port->counter));
		}
}

static void sets(struct sl_exposition *e, const struct sl_snapshot *s,
		 bool capacity)
{
	if (capacity)
		sl_exposition_family(e, SL_GAUGE, "sluice_set_capacity_items",
				     "items", "Items a live set has room for.");
	else
		sl_exposition_family(e, SL_GAUGE, "sluice_set_items", "items",
				     "Prefixes or MACs in a set.");
	for (size_t i = 0; i < s->n_interfaces; i++)
		for (size_t k = 0; k < s->interfaces[i].sets.n; k++) {
			const struct sl_set_size *set =
				&s->interfaces[i].sets.items[k];

			if (capacity && !set->live)
				continue;
			sl_exposition_label(e, "interface",
					    s->interfaces[i].name);
			sl_exposition_label(e, "set", set->name);
			sl_exposition_label(e, "live",
					    set->live ? "true" : "false");
			sl_exposition_count(e,
					    capacity ? set->most : set->items);
		}
}

static void interfaces(struct sl_exposition *e, const struct sl_snapshot *s)
{
	sl_exposition_family(e, SL_INFO, "sluice_interface", "",
			     "How the filter is attached.");
	for (size_t i = 0; i < s->n_interfaces; i++) {
		const struct sl_snapshot_interface *f = &s->interfaces[i];

		sl_exposition_label(e, "interface", f->name);
		sl_exposition_label(e, "mode", f->mode);
		sl_exposition_label(e, "attached", f->attached);
		sl_exposition_label(e, "default", f->policy);
		sl_exposition_count(e, 1);
	}
}

enum number { GENERATION, RULES, UP, LOG_LOST, N_NUMBERS };

static uint64_t number_of(enum number number,
			  const struct sl_snapshot_interface *f)
{
	switch (number) {
	case GENERATION:
		return f->generation;
	case RULES:
		return f->stats.n_rules;
	case UP:
		return f->up;
	default:
		return f->stats.totals.log_lost.packets;
	}
}

/* What is one number an interface. */
static void numbers(struct sl_exposition *e, const struct sl_snapshot *s)
{
	static const struct {
		enum sl_metric_type type;
		const char *name, *unit, *help;
	} families[N_NUMBERS] = {
		[GENERATION] = { SL_GAUGE, "sluice_generation", "",
				 "Generation that runs; each change is one more." },
		[RULES] = { SL_GAUGE, "sluice_rules", "",
			    "Rules of the generation that runs." },
		[UP] = { SL_GAUGE, "sluice_interface_up", "",
			 "1: the interface is up; 0: it receives nothing." },
		[LOG_LOST] = { SL_COUNTER, "sluice_log_lost_samples", "samples",
			       "Samples of log rules that found the ring full." },
	};

	for (int number = 0; number < N_NUMBERS; number++) {
		sl_exposition_family(e, families[number].type,
				     families[number].name,
				     families[number].unit,
				     families[number].help);
		for (size_t i = 0; i < s->n_interfaces; i++) {
			sl_exposition_label(e, "interface",
					    s->interfaces[i].name);
			sl_exposition_count(e, number_of(number,
							 &s->interfaces[i]));
		}
	}
}

enum cpu { PRESSURE, DEFERRED, EXHAUSTED, RUN, WAIT, ROUNDS, SQUEEZED, N_CPU };

static double cpu_of(enum cpu what, const struct sl_pressure_figure *f,
		     const struct sl_pressure_count *c)
{
	switch (what) {
	case PRESSURE:
		return f->pressure;
	case DEFERRED:
		return f->deferred;
	case EXHAUSTED:
		return f->exhausted;
	case RUN:
		return (double)c->run_ns / 1e9;
	case WAIT:
		return (double)c->wait_ns / 1e9;
	case ROUNDS:
		return (double)c->rounds;
	default:
		return (double)c->squeezed;
	}
}

static void cpus(struct sl_exposition *e, const struct sl_pressure *p)
{
	static const struct {
		enum sl_metric_type type;
		const char *name, *unit, *help;
	} families[N_CPU] = {
		[PRESSURE] = { SL_GAUGE, "sluice_cpu_pressure_ratio", "ratio",
			       "How hard packets press, 0 to 1, since the reading before." },
		[DEFERRED] = { SL_GAUGE, "sluice_cpu_deferred_ratio", "ratio",
			       "Share of time in which ksoftirqd ran or waited for the CPU." },
		[EXHAUSTED] = { SL_GAUGE, "sluice_cpu_exhausted_ratio", "ratio",
				"Share of softirq rounds that ended by their budget." },
		[RUN] = { SL_COUNTER, "sluice_cpu_ksoftirqd_run_seconds",
			  "seconds", "Time that ksoftirqd ran." },
		[WAIT] = { SL_COUNTER, "sluice_cpu_ksoftirqd_wait_seconds",
			   "seconds",
			   "Time that ksoftirqd waited for the CPU." },
		[ROUNDS] = { SL_COUNTER, "sluice_cpu_softirq_rounds", "rounds",
			     "Rounds of the NET_RX softirq." },
		[SQUEEZED] = { SL_COUNTER, "sluice_cpu_squeezed_rounds",
			       "rounds",
			       "Rounds that ended by their budget with packets left." },
	};

	for (int what = 0; what < N_CPU; what++) {
		sl_exposition_family(e, families[what].type,
				     families[what].name, families[what].unit,
				     families[what].help);
		for (uint32_t cpu = 0; cpu < sl_pressure_cpus(p); cpu++) {
			struct sl_pressure_figure f = sl_pressure_get(p, cpu);
			struct sl_pressure_count c =
				sl_pressure_counted(p, cpu);

			if (!c.online)
				continue;
			sl_exposition_number_label(e, "cpu", cpu);
			sl_exposition_real(e, cpu_of(what, &f, &c));
		}
	}
}

static void own(struct sl_exposition *e, const struct sl_snapshots *all,
		const struct sl_served *served)
{
	sl_exposition_family(e, SL_GAUGE, "sluice_exporter_read_seconds",
			     "seconds", "What the last reading took.");
	sl_exposition_real(e, (double)all->last.taken_ns / 1e9);
	sl_exposition_family(e, SL_COUNTER, "sluice_exporter_readings",
			     "readings", "Readings since the exporter began.");
	sl_exposition_count(e, all->n_taken);
	sl_exposition_family(e, SL_COUNTER, "sluice_exporter_failures",
			     "failures", "Parts that could not be read.");
	sl_exposition_count(e, all->n_failures);
	sl_exposition_family(e, SL_COUNTER, "sluice_exporter_requests",
			     "requests", "Requests that were answered.");
	sl_exposition_count(e, served->requests);
	sl_exposition_family(e, SL_COUNTER,
			     "sluice_exporter_evicted_connections",
			     "connections",
			     "Connections closed because they were slow.");
	sl_exposition_count(e, served->evicted);
	sl_exposition_family(e, SL_GAUGE, "sluice_exporter_connections",
			     "connections", "Connections that are open.");
	sl_exposition_count(e, served->connections);
}

void sl_metrics_print(const struct sl_snapshots *snapshots,
		      const struct sl_served *served, bool open, FILE *out)
{
	struct sl_exposition e = { .out = out, .open = open };
	const struct sl_snapshot *s = &snapshots->last;

	interfaces(&e, s);
	numbers(&e, s);
	for (size_t h = 0; h < N_HALVES; h++) {
		received(&e, s, &halves[h]);
		reasons(&e, s, &halves[h]);
		rules(&e, s, &halves[h]);
		ports(&e, s, &halves[h]);
	}
	sets(&e, s, false);
	sets(&e, s, true);
	sl_metrics_forwarders(&e, s->forwarders);
	cpus(&e, snapshots->pressure);
	own(&e, snapshots, served);
	sl_exposition_end(&e);
}
