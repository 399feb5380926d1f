/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A loaded Sluice program and its maps, found through the program's id: no pin
 * path is agreed with whoever loaded it (`ip`, DPDK, libxdp, Sluice itself).
 */
#ifndef SLUICE_FILTER_H
#define SLUICE_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sluice/abi.h"

struct sl_error;

enum sl_filter_map {
	SL_MAP_TOTALS,
	SL_MAP_PORTS,
	SL_MAP_RULES,
	SL_MAP_XSKS,
	SL_MAP_LOG,
	SL_MAP_TABLES,
	SL_MAP_CACHE,
	SL_MAP_LIVE,
	SL_MAP_LIMITERS,
	SL_MAP_LIMIT_CPUS,
	SL_MAP_LIMIT_LINES,
	SL_MAP_DEVS,
	SL_MAP_HOP,
	SL_MAP_HOPS,
	SL_MAP_GEN,
	SL_MAP_NAMES, /* only where Sluice loaded a configuration */
	SL_MAP_TEXT,  /* likewise */
	SL_MAP_EXT,   /* only with extensions */
	SL_MAP_EXT_STATE,
	SL_MAP_COUNT
};

/* The name of the map in the kernel. */
const char *sl_filter_map_name(enum sl_filter_map map);

struct sl_filter {
	uint32_t prog_id;
	int prog_fd;
	bool frags;		  /* the xdp.frags entry */
	int map_fd[SL_MAP_COUNT]; /* -1: not there */
	uint32_t n_slots;	  /* rule counters there are */
	struct sl_gen gen;
};

/*
 * Opens the program with this id. 0 and the caller closes *filter; -ENOMSG when
 * it is not a Sluice program (no message), -EPROTO when it is one of another
 * ABI version, or another -errno, both with a message. On failure *filter holds
 * nothing.
 */
int sl_filter_open(uint32_t prog_id, struct sl_filter *filter,
		   struct sl_error *error);

void sl_filter_close(struct sl_filter *filter);

/*
 * Reads who the rule slots belong to into `names`, filter->n_slots of them. 0,
 * -ENOENT when the filter has no configuration, or another -errno.
 */
int sl_filter_names(const struct sl_filter *filter, struct sl_rule_name *names);

/* How many CPUs a per-CPU value has room for, or -errno. */
int sl_cpus_possible(void);

#endif /* SLUICE_FILTER_H */
