// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "top_model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FNV_BASIS 0xcbf29ce484222325u
#define FNV_PRIME 0x100000001b3u

#define GAP 1 /* between columns */

void top_clean(const char *name, char *text, size_t bytes)
{
	size_t used = 0;

	for (; *name; name++) {
		unsigned char c = (unsigned char)*name;
		bool plain = c >= 0x20 && c < 0x7f;

		if (used + (plain ? 1 : 4) >= bytes)
			break;
		if (plain)
			text[used++] = (char)c;
		else
			used += (size_t)snprintf(text + used, bytes - used,
						 "\\x%02x", c);
	}
	text[used] = '\0';
}

/* FNV-1a, with the end of each text in it. */
static uint64_t hash_text(uint64_t hash, const char *text)
{
	do {
		hash = (hash ^ (unsigned char)*text) * FNV_PRIME;
	} while (*text++);
	return hash;
}

struct top_row *top_table_add(struct top_table *table, const char *interface,
			      const char *name, const char *detail)
{
	struct top_row *row;

	if (table->n == table->room) {
		size_t room = table->room ? 2 * table->room : 64;
		struct top_row *grown =
			reallocarray(table->rows, room, sizeof(*grown));

		if (!grown)
			return NULL;
		table->rows = grown;
		table->room = room;
	}
	row = &table->rows[table->n];
	*row = (struct top_row){ .place = (uint32_t)table->n };
	top_clean(interface, row->interface, sizeof(row->interface));
	top_clean(name, row->name, sizeof(row->name));
	top_clean(detail, row->detail, sizeof(row->detail));
	row->key = hash_text(hash_text(FNV_BASIS, interface), name);
	table->n++;
	return row;
}

void top_row_tell_apart(struct top_row *row)
{
	row->key = hash_text(row->key, row->detail);
}

void top_reading_fini(struct top_reading *reading)
{
	free(reading->interfaces);
	free(reading->table.rows);
	*reading = (struct top_reading){ 0 };
}

static int by_key(const void *a, const void *b)
{
	const struct top_row *x = a, *y = b;

	return (x->key > y->key) - (x->key < y->key);
}

static const struct top_interface *
interface_find(const struct top_reading *reading, const char *name)
{
	for (size_t i = 0; i < reading->n_interfaces; i++)
		if (strcmp(reading->interfaces[i].name, name) == 0)
			return &reading->interfaces[i];
	return NULL;
}

static void row_rate(struct top_row *row, const struct sl_counter *before,
		     double seconds)
{
	if (row->level || row->counter.packets < before->packets ||
	    row->counter.bytes < before->bytes)
		return;
	row->rated = true;
	row->pps = (double)(row->counter.packets - before->packets) / seconds;
	row->bps = (double)(row->counter.bytes - before->bytes) * 8 / seconds;
}

static void rate_rows(struct top_reading *now, struct top_reading *before,
		      double seconds)
{
	static const struct sl_counter zero;
	struct top_table *old = &before->table;

	if (old->n)
		qsort(old->rows, old->n, sizeof(*old->rows), by_key);
	for (size_t i = 0; i < now->table.n; i++) {
		struct top_row *row = &now->table.rows[i];
		const struct top_row *was =
			old->n ? bsearch(row, old->rows, old->n, sizeof(*row),
					 by_key) :
				 NULL;
		const struct top_interface *on =
			interface_find(before, row->interface);

		if (was)
			row_rate(row, &was->counter, seconds);
		else if (on && on->present && now->tab != TOP_QUEUES)
			row_rate(row, &zero, seconds);
	}
}

static void rate_interfaces(struct top_reading *now,
			    const struct top_reading *before, double seconds)
{
	for (size_t i = 0; i < now->n_interfaces; i++) {
		struct top_interface *on = &now->interfaces[i];
		const struct top_interface *was =
			interface_find(before, on->name);

		if (!on->present || !was || !was->present ||
		    on->rx.packets < was->rx.packets ||
		    on->dropped.packets < was->dropped.packets)
			continue;
		on->rated = true;
		on->pps = (double)(on->rx.packets - was->rx.packets) / seconds;
		on->bps = (double)(on->rx.bytes - was->rx.bytes) * 8 / seconds;
		on->dropped_pps =
			(double)(on->dropped.packets - was->dropped.packets) /
			seconds;
	}
}

void top_rate(struct top_reading *now, struct top_reading *before)
{
	double seconds;

	if (!before->at_ns || now->at_ns <= before->at_ns)
		return;
	seconds = (double)(now->at_ns - before->at_ns) / 1e9;
	rate_interfaces(now, before, seconds);
	if (now->tab == before->tab)
		rate_rows(now, before, seconds);
}

int top_keep_missing(struct top_reading *now, const struct top_reading *before)
{
	struct top_interface *grown = reallocarray(
		now->interfaces, now->n_interfaces + before->n_interfaces + 1,
		sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	now->interfaces = grown;
	for (size_t i = 0; i < before->n_interfaces; i++) {
		struct top_interface *missing;

		if (interface_find(now, before->interfaces[i].name))
			continue;
		missing = &now->interfaces[now->n_interfaces++];
		*missing = (struct top_interface){ 0 };
		memcpy(missing->name, before->interfaces[i].name,
		       sizeof(missing->name));
	}
	return 0;
}

/* What happened to one interface; false: nothing. */
static bool interface_event(const struct top_interface *now,
			    const struct top_interface *was,
			    char event[TOP_EVENT])
{
	bool was_there = was && was->present;

	if (!now->present && was_there)
		snprintf(event, TOP_EVENT,
			 "%s: its filter is gone; waiting for another",
			 now->name);
	else if (now->present && !was_there)
		snprintf(event, TOP_EVENT, "%s: it has a filter %s", now->name,
			 was ? "again" : "now");
	else if (now->present && now->generation != was->generation)
		snprintf(event, TOP_EVENT, "%s: reloaded, generation %llu now",
			 now->name, (unsigned long long)now->generation);
	else
		return false;
	return true;
}

bool top_event(const struct top_reading *now, const struct top_reading *before,
	       char event[TOP_EVENT])
{
	size_t n = 0, used;

	if (!before->at_ns)
		return false;
	for (size_t i = 0; i < now->n_interfaces; i++)
		n += interface_event(
			&now->interfaces[i],
			interface_find(before, now->interfaces[i].name), event);
	used = n > 1 ? strlen(event) : TOP_EVENT;
	if (used < TOP_EVENT)
		snprintf(event + used, TOP_EVENT - used, " (and %zu more)",
			 n - 1);
	return n > 0;
}

struct order {
	enum top_sort sort;
	bool reverse;
};

/* The larger first; what has no rate comes last. */
static int descending(double x, double y)
{
	return (x < y) - (x > y);
}

static double rate_of(const struct top_row *row, enum top_sort sort)
{
	if (sort == TOP_BY_PACKETS)
		return (double)row->counter.packets;
	if (!row->rated)
		return -1;
	return sort == TOP_BY_BITS ? row->bps : row->pps;
}

static int by_name(const struct top_row *x, const struct top_row *y)
{
	int order = strcmp(x->interface, y->interface);

	/* "tcp 80" before "tcp 443". */
	return order ? order : strverscmp(x->name, y->name);
}

/* Also by place, so that what is equal does not dance from reading to reading. */
static int by_order(const void *a, const void *b, void *context)
{
	const struct top_row *x = *(const struct top_row *const *)a;
	const struct top_row *y = *(const struct top_row *const *)b;
	const struct order *order = context;
	int result = 0;

	if (order->sort == TOP_BY_NAME)
		result = by_name(x, y);
	else if (order->sort != TOP_BY_PLACE)
		result = descending(rate_of(x, order->sort),
				    rate_of(y, order->sort));
	if (!result)
		result = (x->place > y->place) - (x->place < y->place);
	return order->reverse ? -result : result;
}

const struct top_row **top_pick(const struct top_table *table,
				enum top_sort sort, bool reverse,
				const char *filter, size_t *n)
{
	const struct top_row **picked = calloc(table->n + 1, sizeof(*picked));
	struct order order = { sort, reverse };
	size_t n_picked = 0;

	if (!picked)
		return NULL;
	for (size_t i = 0; i < table->n; i++) {
		const struct top_row *row = &table->rows[i];

		if (!*filter || strcasestr(row->interface, filter) ||
		    strcasestr(row->name, filter) ||
		    strcasestr(row->detail, filter))
			picked[n_picked++] = row;
	}
	qsort_r(picked, n_picked, sizeof(*picked), by_order, &order);
	*n = n_picked;
	return picked;
}

/* Takes `wanted` and the gap before it from *left if it is there. */
static int column_take(int *left, int wanted)
{
	if (*left < wanted + GAP)
		return 0;
	*left -= wanted + GAP;
	return wanted;
}

/* The name has what the others leave; they go in the order of their worth. */
void top_columns_fit(int width, struct top_columns *columns)
{
	int name = 10, left = width - name;

	*columns = (struct top_columns){ 0 };
	columns->pps = column_take(&left, 11);
	columns->interface = column_take(&left, 10);
	columns->mbps = column_take(&left, 10);
	columns->detail = column_take(&left, 12);
	columns->packets = column_take(&left, 14);
	columns->bytes = column_take(&left, 18);
	if (columns->bytes && left > 20) {
		columns->interface = 15;
		columns->detail = 20;
		left -= 13;
	}
	name = left < 0 ? width : name + left;
	columns->name = name < TOP_NAME ? name : TOP_NAME;
}
