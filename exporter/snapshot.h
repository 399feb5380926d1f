/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * One reading of all there is to tell: the filters of this network namespace, their rules, ports
 * and sets, its forwarders, and the CPUs. Two printers walk it: metrics.h and state.h.
 *
 * The reader (reader.h) takes it, with what it keeps from one reading to the next.
 */
#ifndef SLUICE_EXPORTER_SNAPSHOT_H
#define SLUICE_EXPORTER_SNAPSHOT_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/attach.h"
#include "lib/observe.h"
#include "lib/pressure.h"
#include "ports.h"
#include "sets.h"

struct json_t;
struct sl_error;

struct sl_snapshot_interface {
	char name[IF_NAMESIZE];
	int ifindex;
	const char *mode;     /* "native", "generic" */
	const char *attached; /* "link", "netlink", "shared" */
	uint64_t generation;  /* 0: no configuration */
	const char *policy;   /* of packets that no rule matches */
	bool up;
	struct sl_stats stats;
	/*
	 * Of each rule: when it was seen to have counted more than the reading before. By
	 * CLOCK_MONOTONIC; 0: not since the first reading.
	 */
	uint64_t *hit_ns;
	struct sl_top top;
	struct sl_sets sets;
};

struct sl_snapshot {
	uint64_t at_ns;	   /* CLOCK_MONOTONIC, when it was begun */
	uint64_t taken_ns; /* how long that took */
	struct sl_snapshot_interface *interfaces;
	size_t n_interfaces;
	struct json_t *forwarders; /* lib/fwdstats.h */
	const struct sl_pressure *pressure;
	struct json_t *failures; /* texts: what could not be read */
};

/* What lasts from reading to reading. One thread. */
struct sl_snapshots {
	const struct sl_ports_wanted *ports;
	struct sl_pressure *pressure; /* NULL: none */
	struct sl_snapshot last;      /* valid when n_taken */
	uint64_t started_ns;
	uint64_t n_taken, n_failures;
};

/*
 * `ports` must outlive it. Opens what must be opened while there are privileges. 0 and the
 * caller's to close, or -errno with a message.
 */
int sl_snapshots_open(struct sl_snapshots *snapshots,
		      const struct sl_ports_wanted *ports,
		      struct sl_error *error);
void sl_snapshots_close(struct sl_snapshots *snapshots);

/*
 * Reads anew if the last reading is older than `fresh_ns`; it is snapshots->last then. What
 * cannot be read is left out, and told in its failures. 0 or -ENOMEM: the last one is unchanged.
 */
int sl_snapshots_take(struct sl_snapshots *snapshots, uint64_t fresh_ns);

#endif /* SLUICE_EXPORTER_SNAPSHOT_H */
