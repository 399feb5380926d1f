/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include "quantity.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

struct unit {
	const char *name;
	uint64_t factor;
};

/* Each table from the largest unit down; the last divides everything. */
static const struct unit durations[] = {
	{ "d", 86400000000000 },
	{ "h", 3600000000000 },
	{ "m", 60000000000 },
	{ "s", 1000000000 },
	{ "ms", 1000000 },
	{ "us", 1000 },
	{ "ns", 1 },
};
static const struct unit sizes[] = {
	{ "G", 1u << 30 },
	{ "M", 1u << 20 },
	{ "K", 1u << 10 },
	{ "", 1 },
};
static const struct unit rates[] = {
	{ "G", 1000000000 },
	{ "M", 1000000 },
	{ "k", 1000 },
	{ "", 1 },
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static int digit(char c, unsigned base)
{
	int value;

	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	value = c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
	return value < (int)base ? value : -1;
}

/* Reads digits; *used says how many bytes. */
static int parse_digits(const char *text, size_t length, unsigned base,
			size_t *used, uint64_t *value)
{
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < length; i++) {
		int d = digit(text[i], base);

		if (d < 0)
			break;
		if (__builtin_mul_overflow(v, base, &v) ||
		    __builtin_add_overflow(v, (uint64_t)d, &v))
			return -ERANGE;
	}
	if (!i)
		return -EINVAL;
	*used = i;
	*value = v;
	return 0;
}

int sl_number_parse(const char *text, size_t length, uint64_t *value)
{
	unsigned base = 10;
	uint64_t v = 0;
	size_t used = 0;
	int err;

	if (length > 2 && text[0] == '0' && (text[1] | 0x20) == 'x') {
		base = 16;
		text += 2;
		length -= 2;
	}
	err = parse_digits(text, length, base, &used, &v);
	if (err)
		return err;
	if (used != length)
		return -EINVAL;
	*value = v;
	return 0;
}

static int parse_units(const char *text, size_t length,
		       const struct unit *units, size_t n_units,
		       uint64_t *value)
{
	uint64_t v = 0;
	size_t used = 0;
	int err = parse_digits(text, length, 10, &used, &v);

	if (err)
		return err;
	for (size_t i = 0; i < n_units; i++) {
		const char *name = units[i].name;

		if (strlen(name) != length - used ||
		    memcmp(name, text + used, length - used))
			continue;
		if (__builtin_mul_overflow(v, units[i].factor, &v))
			return -ERANGE;
		*value = v;
		return 0;
	}
	return -EINVAL;
}

int sl_duration_parse(const char *text, size_t length, uint64_t *ns)
{
	uint64_t v = 0;
	int err = parse_units(text, length, durations, COUNT(durations), ns);

	if (err != -EINVAL || sl_number_parse(text, length, &v))
		return err;
	if (__builtin_mul_overflow(v, UINT64_C(1000000000), &v))
		return -ERANGE;
	*ns = v;
	return 0;
}

int sl_size_parse(const char *text, size_t length, uint64_t *bytes)
{
	return parse_units(text, length, sizes, COUNT(sizes), bytes);
}

int sl_rate_parse(const char *text, size_t length, struct sl_rate *rate)
{
	struct sl_rate r = { 0 };
	int err;

	if (length < 4)
		return -EINVAL;
	if (!memcmp(text + length - 3, "bps", 3))
		r.bits = true;
	else if (memcmp(text + length - 3, "pps", 3))
		return -EINVAL;
	err = parse_units(text, length - 3, rates, COUNT(rates), &r.value);
	if (err)
		return err;
	*rate = r;
	return 0;
}

static const struct unit *largest(uint64_t value, const struct unit *unit)
{
	while (unit->factor > 1 && (!value || value % unit->factor))
		unit++;
	return unit;
}

void sl_duration_format(uint64_t ns, char text[SL_QUANTITY_TEXT])
{
	const struct unit *unit = largest(ns, durations);

	snprintf(text, SL_QUANTITY_TEXT, "%" PRIu64 "%s", ns / unit->factor,
		 unit->name);
}

void sl_size_format(uint64_t bytes, char text[SL_QUANTITY_TEXT])
{
	const struct unit *unit = largest(bytes, sizes);

	snprintf(text, SL_QUANTITY_TEXT, "%" PRIu64 "%s", bytes / unit->factor,
		 unit->name);
}

void sl_rate_format(struct sl_rate rate, char text[SL_QUANTITY_TEXT])
{
	const struct unit *unit = largest(rate.value, rates);

	snprintf(text, SL_QUANTITY_TEXT, "%" PRIu64 "%s%s",
		 rate.value / unit->factor, unit->name,
		 rate.bits ? "bps" : "pps");
}
