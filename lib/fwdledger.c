// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "fwdledger.h"

#include <jansson.h>
#include <stdbool.h>

/* `nic`: in that object of an interface. */
static const struct {
	const char *title, *key;
	bool nic;
} rows[] = {
	{ "NIC received", "rx_packets", true },
	{ "  dropped", "rx_dropped", true },
	{ "  missed", "rx_missed_errors", true },
	{ "  fifo", "rx_fifo_errors", true },
	{ "seen by filter", "seen", false },
	{ "  unseen", "unseen", false },
	{ "forwarded", "forwarded", false },
	{ "received", "received", false },
	{ "  lost", "lost", false },
	{ "  waiting", "waiting", false },
	{ "  unexplained", "unexplained", false },
	{ "sent", "sent", false },
	{ "NIC sent", "tx_packets", true },
	{ "  dropped", "tx_dropped", true },
	{ "  errors", "tx_errors", true },
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))
/* A name has up to 15 characters; four of them fit beside a title on 80. */
#define TITLE_WIDTH 14
#define WIDTH 15
#define SIDES 4

static long long number(const json_t *object, const char *key)
{
	return (long long)json_integer_value(json_object_get(object, key));
}

static void cell_print(const json_t *side, size_t row, FILE *out)
{
	const json_t *object = rows[row].nic ? json_object_get(side, "nic") :
					       side;
	const json_t *cell = json_object_get(object, rows[row].key);

	if (json_is_integer(cell))
		fprintf(out, " %*lld", WIDTH,
			(long long)json_integer_value(cell));
	else
		fprintf(out, " %*s", WIDTH, "-");
}

static void sides_print(const json_t *sides, size_t first, const char *indent,
			FILE *out)
{
	size_t end = json_array_size(sides);

	if (end > first + SIDES)
		end = first + SIDES;
	fprintf(out, "%s%*s", indent, TITLE_WIDTH, "");
	for (size_t i = first; i < end; i++) {
		const json_t *name =
			json_object_get(json_array_get(sides, i), "name");

		fprintf(out, " %*s", WIDTH,
			json_is_string(name) ? json_string_value(name) : "-");
	}
	for (size_t row = 0; row < ROWS; row++) {
		fprintf(out, "\n%s%-*s", indent, TITLE_WIDTH, rows[row].title);
		for (size_t i = first; i < end; i++)
			cell_print(json_array_get(sides, i), row, out);
	}
	fputc('\n', out);
}

void sl_fwdledger_print(const json_t *ledger, const char *indent, FILE *out)
{
	const json_t *sides = json_object_get(ledger, "interfaces");

	for (size_t i = 0; i < json_array_size(sides); i += SIDES)
		sides_print(sides, i, indent, out);
	fprintf(out,
		"%sin all: received %lld = sent %lld + dropped %lld; unexplained %lld\n",
		indent, number(ledger, "received"), number(ledger, "sent"),
		number(ledger, "dropped"), number(ledger, "unexplained"));
}
