/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Reading what a loaded filter has counted, summed over the CPUs. Counters are
 * read while they count: under traffic the parts of one answer are some
 * microseconds apart.
 */
#ifndef SLUICE_OBSERVE_H
#define SLUICE_OBSERVE_H

#include <stddef.h>
#include <stdint.h>

#include "sluice/abi.h"

struct sl_filter;

struct sl_rule_stats {
	struct sl_rule_name name;
	uint32_t slot;
	struct sl_counter counter;
};

struct sl_stats {
	struct sl_totals totals;
	struct sl_rule_stats *rules; /* in the order of evaluation */
	size_t n_rules;
};

/* The name of a reason or verdict, as in JSON. */
const char *sl_reason_text(enum sl_reason reason);
const char *sl_verdict_text(enum sl_verdict verdict);

/* What a rule does: its verdict, or count, log or limit. As in JSON. */
const char *sl_rule_name_action(const struct sl_rule_name *name);

/* The counter of one reason and verdict. */
const struct sl_counter *sl_totals_get(const struct sl_totals *totals,
				       enum sl_reason reason,
				       enum sl_verdict verdict);

/* The counters of one reason, of all verdicts; and of one verdict, of all reasons. */
struct sl_counter sl_totals_reason(const struct sl_totals *totals,
				   enum sl_reason reason);
struct sl_counter sl_totals_verdict(const struct sl_totals *totals,
				    enum sl_verdict verdict);

/*
 * What each slot has counted since the map was made, filter->n_slots of them.
 * 0 or -errno.
 */
int sl_rules_sum(const struct sl_filter *filter, struct sl_counter *sums);

/* The totals, the map by its descriptor alone. 0 or -errno. */
int sl_totals_read(int map_fd, struct sl_totals *totals);

/* 0 and the caller frees with sl_stats_fini(), or -errno. */
int sl_stats_read(const struct sl_filter *filter, struct sl_stats *stats);
void sl_stats_fini(struct sl_stats *stats);

/* Of one destination port. */
struct sl_port_count {
	uint8_t proto; /* SL_PORT_TCP, _UDP */
	uint16_t port;
	struct sl_counter counter;
};

/* "tcp" or "udp". */
const char *sl_port_proto_text(uint8_t proto);

/* Of struct sl_port_count, for qsort(): most packets first, then by protocol and port. */
int sl_port_count_compare(const void *a, const void *b);

/*
 * Reads all port counters: ports[proto][port], proto SL_PORT_TCP or _UDP, port
 * in host order. 0 or -errno.
 */
int sl_ports_read(const struct sl_filter *filter,
		  struct sl_counter ports[SL_PORT_PROTOS][65536]);

/* The canonical text of the running configuration, to free(); NULL if none. */
char *sl_filter_text(const struct sl_filter *filter);

#endif /* SLUICE_OBSERVE_H */
