// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * A hash of (interface, address). A flood of spoofed sources fills any table, so one that
 * is full drops those seen least (lossy counting: G. Manku, R. Motwani, VLDB 2002):
 * who sends much stays, and who comes later finds room.
 */
#include "top_sources.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "top_model.h"
#include "lib/error.h"
#include "lib/samples.h"
#include "lib/summary.h"

/* Some hundred kilobytes, sorted in milliseconds; a screen shows a hundred. */
#define SOURCES_MAX 4096
#define SLOTS (4 * SOURCES_MAX)

struct source {
	size_t interface;
	char address[SL_SUMMARY_SOURCE];
	uint32_t place; /* in the order of coming */
	struct sl_counter counter;
};

struct top_sources {
	struct sl_samples *samples;
	char (*interfaces)[IF_NAMESIZE]; /* that `samples` reads */
	size_t n_interfaces;
	struct source items[SOURCES_MAX];
	size_t n;
	uint32_t slots[SLOTS]; /* 1 + an index into items; 0: free */
	uint32_t places;
};

struct top_sources *top_sources_new(void)
{
	return calloc(1, sizeof(struct top_sources));
}

static uint32_t *slot_find(struct top_sources *s, size_t interface,
			   const char *address)
{
	uint32_t hash = 2166136261u ^ (uint32_t)interface; /* FNV-1a */

	for (const char *c = address; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 16777619u;
	/* Ends: there are more slots than sources. */
	for (;; hash++) {
		uint32_t *slot = &s->slots[hash % SLOTS];

		if (!*slot)
			return slot;
		if (s->items[*slot - 1].interface == interface &&
		    strcmp(s->items[*slot - 1].address, address) == 0)
			return slot;
	}
}

/* Half of the places, at least, are free then. */
static void drop_least(struct top_sources *s)
{
	for (uint64_t least = 1; s->n > SOURCES_MAX / 2; least *= 2) {
		size_t kept = 0;

		for (size_t i = 0; i < s->n; i++)
			if (s->items[i].counter.packets > least)
				s->items[kept++] = s->items[i];
		s->n = kept;
	}
	memset(s->slots, 0, sizeof(s->slots));
	for (size_t i = 0; i < s->n; i++)
		*slot_find(s, s->items[i].interface, s->items[i].address) =
			(uint32_t)i + 1;
}

static int take_sample(void *context, const struct sl_sample *sample)
{
	const struct sl_log_record *r = sample->record;
	struct top_sources *s = context;
	char address[SL_SUMMARY_SOURCE];
	struct source *item;
	uint32_t *slot;

	if (!sl_summary_source(r->head, r->head_bytes, address))
		snprintf(address, sizeof(address), "not IP");
	if (s->n == SOURCES_MAX)
		drop_least(s);
	slot = slot_find(s, sample->interface_index, address);
	if (!*slot) {
		s->items[s->n] = (struct source){
			.interface = sample->interface_index,
			.place = s->places++,
		};
		memcpy(s->items[s->n].address, address, sizeof(address));
		*slot = (uint32_t)++s->n;
	}
	item = &s->items[*slot - 1];
	item->counter.packets++;
	item->counter.bytes += r->frame_bytes;
	return 0;
}

void top_sources_leave(struct top_sources *s)
{
	sl_samples_close(s->samples);
	s->samples = NULL;
	free(s->interfaces);
	s->interfaces = NULL;
	s->n_interfaces = 0;
	s->n = 0;
	memset(s->slots, 0, sizeof(s->slots));
}

void top_sources_free(struct top_sources *s)
{
	if (!s)
		return;
	top_sources_leave(s);
	free(s);
}

/* Opens the rings unless they are open. 0, or -errno with a message. */
static int join(struct top_sources *s, char (*interfaces)[IF_NAMESIZE],
		size_t n, struct sl_error *error)
{
	int err;

	if (s->samples && s->n_interfaces == n &&
	    memcmp(s->interfaces, interfaces, n * sizeof(*interfaces)) == 0)
		return 0;
	top_sources_leave(s);
	s->interfaces = calloc(n + 1, sizeof(*s->interfaces));
	if (!s->interfaces)
		return sl_error_set(error, -ENOMEM, "out of memory");
	memcpy(s->interfaces, interfaces, n * sizeof(*interfaces));
	s->n_interfaces = n;
	err = sl_samples_open(s->interfaces, n, &s->samples, error);
	if (err)
		top_sources_leave(s);
	return err;
}

static bool some_rule_logs(const struct top_sources *s)
{
	for (size_t i = 0; i < s->n_interfaces; i++)
		if (sl_samples_expected(s->samples, i))
			return true;
	return false;
}

static int list(const struct top_sources *s, struct top_reading *reading)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct source *item = &s->items[i];
		struct top_row *row = top_table_add(
			&reading->table, s->interfaces[item->interface],
			item->address, "sampled");

		if (!row)
			return -ENOMEM;
		row->counter = item->counter;
		row->place = item->place;
	}
	return 0;
}

int top_sources_read(struct top_sources *s, char (*interfaces)[IF_NAMESIZE],
		     size_t n, struct top_reading *reading)
{
	struct sl_error error = { "" };
	const char *note =
		"Sources of the packets that `log` rules sampled while "
		"this tab was in view, not of all packets.";
	int err;

	if (n == 0)
		return 0;
	err = join(s, interfaces, n, &error);
	if (!err)
		err = sl_samples_drain(s->samples, take_sample, s, &error);
	if (err) {
		snprintf(reading->note, sizeof(reading->note), "%s",
			 error.text);
		return 0;
	}
	if (!some_rule_logs(s))
		note = "No `log` rule, so no samples: `rule watch log sample "
		       "1000`, first in the configuration, makes some.";
	snprintf(reading->note, sizeof(reading->note), "%s", note);
	return list(s, reading);
}
