/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What `sluice top` shows, without a terminal and without a kernel:
 *
 *   top_read.c:  filters, forwarders, samples -> struct top_reading
 *   top_model.c: two readings -> rates, events; rows -> sorted, narrowed
 *   top_state.c: keys -> what to show of it
 *   top_screen.c: all of this -> the terminal
 *
 * Every tab is a table of the same columns, so one way of sorting, narrowing and
 * drawing serves all.
 */
#ifndef SLUICE_CLI_TOP_MODEL_H
#define SLUICE_CLI_TOP_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sluice/abi.h"

enum top_tab {
	TOP_VERDICTS,
	TOP_RULES,
	TOP_PORTS,
	TOP_SOURCES,
	TOP_QUEUES,
	TOP_TABS
};

enum top_sort {
	TOP_BY_RATE,	/* packets/s, the largest first */
	TOP_BY_BITS,	/* Mbit/s, likewise */
	TOP_BY_PACKETS, /* packets in all, likewise */
	TOP_BY_NAME,	/* interface, then name */
	TOP_BY_PLACE,	/* as the tab lists them: rules as they are tried */
	TOP_SORTS
};

/* Bytes of a text. A name of SL_NAME_BYTES fits if one byte in four is none to print. */
#define TOP_INTERFACE 64
#define TOP_NAME 96
#define TOP_DETAIL 32
#define TOP_EVENT 128

struct top_row {
	char interface[TOP_INTERFACE];
	char name[TOP_NAME];
	char detail[TOP_DETAIL];
	uint64_t key; /* what it is known by from reading to reading */
	uint32_t place;
	bool level; /* how many there are now: it has no rate */
	struct sl_counter counter;
	bool rated; /* the rates are known */
	double pps, bps;
};

struct top_table {
	struct top_row *rows;
	size_t n, room;
};

/* One interface, for the head of the screen. */
struct top_interface {
	char name[TOP_INTERFACE];
	char mode[12];
	bool present; /* it has a filter; else only the name is known */
	uint64_t generation;
	struct sl_counter rx, dropped;
	bool rated;
	double pps, bps, dropped_pps;
};

struct top_reading {
	enum top_tab tab; /* what `table` is of */
	uint64_t at_ns;	  /* CLOCK_MONOTONIC; 0: there is no reading */
	struct top_interface *interfaces;
	size_t n_interfaces;
	struct top_table table;
	char note[256]; /* what the operator should know of the table */
};

/* All but printable ASCII as \xNN: names are others' choice, and go to a terminal. */
void top_clean(const char *name, char *text, size_t bytes);

/*
 * Adds a row, its texts cleaned, and its place the next one; NULL: no memory. It is known
 * by interface and name. The pointer holds until the next is added.
 */
struct top_row *top_table_add(struct top_table *table, const char *interface,
			      const char *name, const char *detail);

/* Its detail, too, is what the row is known by, and not what may change in it. */
void top_row_tell_apart(struct top_row *row);

/* Frees what it holds; it is empty then. */
void top_reading_fini(struct top_reading *reading);

/*
 * Fills in the rates of `now`. A row has one if `before` has the row, of the same tab,
 * with no higher counter (else counting began anew in between), or if the row is new on an
 * interface that was there: it began at 0. Not so a queue: its forwarder may have been
 * slow to answer.
 */
void top_rate(struct top_reading *now, struct top_reading *before);

/*
 * Takes over into `now` which interfaces `before` had and now are not there, as such
 * that are not present. 0 or -ENOMEM.
 */
int top_keep_missing(struct top_reading *now, const struct top_reading *before);

/*
 * What happened to a filter in between (gone, back, reloaded), in words; false: nothing.
 * Of several the last one, and how many more.
 */
bool top_event(const struct top_reading *now, const struct top_reading *before,
	       char event[TOP_EVENT]);

/*
 * The rows of which interface, name or detail has `filter` in it (any case; "": all),
 * sorted. An array of *n to be freed, which points into the table; NULL: no memory.
 */
const struct top_row **top_pick(const struct top_table *table,
				enum top_sort sort, bool reverse,
				const char *filter, size_t *n);

/* The width of each column in a terminal of `width`; 0: it is left out. */
struct top_columns {
	int interface, name, detail, pps, mbps, packets, bytes;
};

void top_columns_fit(int width, struct top_columns *columns);

#endif /* SLUICE_CLI_TOP_MODEL_H */
