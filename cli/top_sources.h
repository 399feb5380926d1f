/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Who sends, as far as `log` rules sample it: the filter counts ports and rules, not
 * addresses. Samples are read while the tab is in view only, because a ring has one reader
 * (lib/readers.h): `sluice log` and `sluice capture` are to have it else.
 */
#ifndef SLUICE_CLI_TOP_SOURCES_H
#define SLUICE_CLI_TOP_SOURCES_H

#include <net/if.h>
#include <stddef.h>

struct top_reading;
struct top_sources;

/* NULL: no memory. */
struct top_sources *top_sources_new(void);

/*
 * Adds the samples that wait on the n interfaces, and lists all sources seen since the tab
 * came into view; the reading's note says what they are, or why there are none. 0 or
 * -ENOMEM.
 */
int top_sources_read(struct top_sources *sources,
		     char (*interfaces)[IF_NAMESIZE], size_t n,
		     struct top_reading *reading);

/* The tab is out of view: forgets all, and lets go of the rings. */
void top_sources_leave(struct top_sources *sources);

void top_sources_free(struct top_sources *sources); /* NULL is fine */

#endif /* SLUICE_CLI_TOP_SOURCES_H */
