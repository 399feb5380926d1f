/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The lookup of xdp/classify.h once more, on compiled tables that are not
 * finished, to count what it reads. Pure; any thread.
 */
#ifndef SLUICE_VISIT_H
#define SLUICE_VISIT_H

#include <stddef.h>
#include <stdint.h>

#include "region.h"
#include "sluice/abi.h"

struct sl_compiled;

/* What one packet reads on its way to a key, and the classes it finds. */
struct sl_visit {
	uint32_t arrays;   /* values of fields, the root array of IPv4 */
	uint32_t nodes;	   /* of tries */
	uint32_t combines; /* of a group and a field */
	uint32_t classes[SL_GROUPS_MAX];
	uint64_t key; /* dense */
	/* The caller's, or NULL: gets a bit for each SL_VISIT_LINE bytes read. */
	uint64_t *lines;
};

#define SL_VISIT_LINE 64

/* `values`: a packet's, by dimension; see region.h. Of *visit only `lines` is
 * looked at. */
void sl_visit_packet(const struct sl_compiled *compiled,
		     const sl_address values[SL_DIM_COUNT],
		     struct sl_visit *visit);

/* The same for the dearest packet: the most of each. Its classes are 0. */
void sl_visit_worst(const struct sl_compiled *compiled, struct sl_visit *visit);

/*
 * The first rule from `from` on, one up, or 0, where the answers are not a
 * table; *words is how many words of each group's vector that takes.
 */
uint32_t sl_visit_match(const struct sl_compiled *compiled,
			const struct sl_visit *visit, uint32_t from,
			uint32_t *words);

#endif /* SLUICE_VISIT_H */
