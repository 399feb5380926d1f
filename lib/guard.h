/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Would these rules cut the operator off? Asked before they are applied, of the
 * rules themselves, by the sets of packets that they match (region.h): what the
 * compiler and the filter do is held against the same sets. No packet is sent
 * and nothing is loaded. Pure; any thread.
 *
 * A probe is a rule, too: the packets that it would match. Of a whole kind of
 * packets (ARP) it is asked whether all of them are dropped: a part of them,
 * from some station or in some VLAN, is policy. Of one connection it is asked
 * whether any packet is lost: dropped, bounced, or taken elsewhere than to this
 * machine. `limit`, `count`, `log` and `observe` let packets go on. A live set is
 * what its file says.
 */
#ifndef SLUICE_GUARD_H
#define SLUICE_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "region.h"

struct sl_config;
struct sl_rule;

struct sl_guard_probe {
	const char *text; /* a configuration with one rule */
	bool any;	  /* no packet may be lost; else not all of them */
	bool tagged;	  /* the text tells the tags; else there are none... */
	bool any_tag;	  /* ... or any */
};

struct sl_guard_answer {
	bool lost;
	const struct sl_rule *by; /* NULL: the default policy */
};

/* Rules, and what they match: half a kilobyte each. */
struct sl_guard {
	const struct sl_config *config;
	uint64_t now_ns; /* CLOCK_MONOTONIC: which have expired */
	struct sl_region_maker maker;
	struct sl_region *regions;
};

/* 0 and the caller closes *guard before `config` goes; or -ENOMEM. */
int sl_guard_open(const struct sl_config *config, uint64_t now_ns,
		  struct sl_guard *guard);
void sl_guard_close(struct sl_guard *guard);

/* What the rules on `interface` do with the probe's packets. 0 and *answer, or
 * -ENOMEM. */
int sl_guard_ask(const struct sl_guard *guard, const char *interface,
		 const struct sl_guard_probe *probe,
		 struct sl_guard_answer *answer);

#endif /* SLUICE_GUARD_H */
