/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What filter and device of an interface have counted since the forwarder's start. The agent reads
 * it, and sends it to the data plane (channel.h), whose ledger sets it against its own counts.
 *
 * The device counts a packet when the NAPI poll that took it ends, the filter at once, so no
 * two of their counts are of the same moment while packets come. `unseen` is what has to be
 * missing in spite of that:
 *
 *   begin    rx_before, the filter's count, a grace period, rx_after
 *   now      rx_before, the filter's count, rx_after
 *
 * At rest both are the same, and `unseen` is exact.
 */
#ifndef SLUICE_FWD_TALLY_H
#define SLUICE_FWD_TALLY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "nic.h"

struct sl_fwd_tally {
	uint64_t seen;	    /* packets that the filter saw */
	uint64_t forwarded; /* of these, directed to our sockets */
	struct sl_fwd_nic nic;
	/*
	 * Packets that the device received and the filter did not see (there was none for a while);
	 * below 0 under traffic, for what the device counts a moment later.
	 */
	int64_t unseen;
	bool counted;	/* the filter is one of ours: the first two are known */
	bool nic_known; /* `nic` is */
	bool unseen_known; /* `unseen` is: sl_fwd_nic_exact(), and a native filter of ours alone */
};

/* Where the counters stood at the start. */
struct sl_fwd_tally_base {
	uint64_t seen,
		forwarded; /* may pass below 0: only differences are used */
	struct sl_fwd_nic nic;
	uint64_t rx_after;  /* its rx_packets, read after the filter's count */
	uint64_t nic_known; /* 1: it could be read */
};

/* See above; the filter's counts are those since `begin`. */
struct sl_fwd_tally_look {
	uint64_t rx_before, seen, rx_after;
};

int64_t sl_fwd_tally_unseen(const struct sl_fwd_tally_look *begin,
			    const struct sl_fwd_tally_look *now);

/* For another agent: NULL without memory; false: that is none, and *base is unchanged. */
json_t *sl_fwd_tally_base_json(const struct sl_fwd_tally_base *base);
bool sl_fwd_tally_base_from(struct sl_fwd_tally_base *base, const json_t *json);

#endif /* SLUICE_FWD_TALLY_H */
