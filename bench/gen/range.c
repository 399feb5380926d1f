// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "range.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The longest written address, of INET6_ADDRSTRLEN, or a word of a list. */
#define WORD_MAX 64

static int refuse(const char **error, const char *expected)
{
	*error = expected;
	return -EINVAL;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Reads digits; *end is behind them. */
static int parse_digits(const char *text, uint64_t *number, const char **end)
{
	unsigned long long value;
	char *stop;

	/* strtoull takes signs and blanks, this does not. */
	if (!is_digit(*text))
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &stop, 10);
	if (errno)
		return -EINVAL;
	*number = value;
	*end = stop;
	return 0;
}

int sl_gen_range_parse_number(const char *text, uint64_t low, uint64_t high,
			      uint64_t *number)
{
	const char *end;
	uint64_t value;

	if (parse_digits(text, &value, &end) || *end || value < low ||
	    value > high)
		return -EINVAL;
	*number = value;
	return 0;
}

static uint64_t scale_of(char letter)
{
	switch (letter) {
	case '\0':
		return 1;
	case 'k':
		return 1000;
	case 'M':
		return 1000000;
	case 'G':
		return 1000000000;
	default:
		return 0;
	}
}

int sl_gen_range_parse_scaled(const char *text, uint64_t low, uint64_t high,
			      uint64_t *number)
{
	uint64_t value, part, weight, scale, sum = 0;
	const char *end, *fraction = NULL;

	if (parse_digits(text, &value, &end))
		return -EINVAL;
	if (*end == '.') {
		fraction = ++end;
		while (is_digit(*end))
			end++;
		if (end == fraction)
			return -EINVAL;
	}
	scale = scale_of(*end);
	if (!scale || (*end && end[1]))
		return -EINVAL;
	for (weight = scale / 10; fraction && fraction < end;
	     fraction++, weight /= 10) {
		part = (uint64_t)(*fraction - '0');
		if (part && !weight)
			return -EINVAL; /* 0.5 packets */
		sum += part * weight;
	}
	if (__builtin_mul_overflow(value, scale, &value) ||
	    __builtin_add_overflow(value, sum, &value) || value < low ||
	    value > high)
		return -EINVAL;
	*number = value;
	return 0;
}

static uint64_t load_be(const uint8_t *bytes, size_t count)
{
	uint64_t value = 0;

	for (size_t i = 0; i < count; i++)
		value = value << 8 | bytes[i];
	return value;
}

static void store_be(uint8_t *bytes, size_t count, uint64_t value)
{
	while (count--) {
		bytes[count] = (uint8_t)value;
		value >>= 8;
	}
}

uint64_t sl_gen_range_low(const struct address_range *range)
{
	return range->family == 4 ? load_be(range->first, 4) :
				    load_be(range->first + 8, 8);
}

static int parse_one(const char *text, struct address_range *range)
{
	memset(range, 0, sizeof(*range));
	if (inet_pton(AF_INET, text, range->first) == 1)
		range->family = 4;
	else if (inet_pton(AF_INET6, text, range->first) == 1)
		range->family = 6;
	return range->family ? 0 : -EINVAL;
}

static int apply_prefix(struct address_range *range, const char *text,
			const char **error)
{
	unsigned int bits = range->family == 4 ? 32 : 64;
	unsigned int total = range->family == 4 ? 32 : 128;
	uint64_t length, low = sl_gen_range_low(range), last;

	if (sl_gen_range_parse_number(text, 0, total, &length))
		return refuse(error, "a prefix length of 0-32, IPv6: 64-128");
	if (length < total - bits)
		return refuse(error, "an IPv6 prefix of /64 or longer");
	length -= total - bits;
	/* A shift by the full width is not defined in C. */
	last = length ? (1ull << (bits - length)) - 1 : ~0ull >> (64 - bits);
	store_be(range->first + (bits == 32 ? 0 : 8), bits / 8, low & ~last);
	range->last = last;
	return 0;
}

static int apply_end(struct address_range *range, const char *text,
		     const char **error)
{
	struct address_range end;

	if (parse_one(text, &end))
		return refuse(error, "an IPv4 or IPv6 address after the -");
	if (end.family != range->family)
		return refuse(error,
			      "both ends of the range from one address family");
	if (range->family == 6 && memcmp(range->first, end.first, 8))
		return refuse(error, "an IPv6 range inside one /64");
	if (sl_gen_range_low(&end) < sl_gen_range_low(range))
		return refuse(error,
			      "a range that begins with its lower address");
	range->last = sl_gen_range_low(&end) - sl_gen_range_low(range);
	return 0;
}

int sl_gen_range_parse_address(const char *text, struct address_range *range,
			       const char **error)
{
	struct address_range parsed;
	size_t length = strcspn(text, "/-");
	char word[WORD_MAX];
	int err = 0;

	if (length >= sizeof(word))
		return refuse(error, "ADDR, ADDR/LEN or ADDR-ADDR");
	memcpy(word, text, length);
	word[length] = '\0';
	if (parse_one(word, &parsed))
		return refuse(
			error,
			"an IPv4 or IPv6 address: ADDR, ADDR/LEN or ADDR-ADDR");
	if (text[length] == '/')
		err = apply_prefix(&parsed, text + length + 1, error);
	else if (text[length] == '-')
		err = apply_end(&parsed, text + length + 1, error);
	if (!err)
		*range = parsed;
	return err;
}

/* N or N-M, both up to `high`. */
static int parse_span(const char *text, uint64_t high, uint64_t *low,
		      uint64_t *last)
{
	uint64_t from, to;
	const char *end;

	if (parse_digits(text, &from, &end))
		return -EINVAL;
	to = from;
	if (*end == '-' && parse_digits(end + 1, &to, &end))
		return -EINVAL;
	if (*end || to < from || to > high)
		return -EINVAL;
	*low = from;
	*last = to - from;
	return 0;
}

int sl_gen_range_parse_port(const char *text, struct port_range *range,
			    const char **error)
{
	uint64_t low, last;

	if (parse_span(text, 65535, &low, &last))
		return refuse(
			error,
			"a port or a range of ports, 0-65535: N or N-M with N <= M");
	range->first = (uint16_t)low;
	range->last = (uint16_t)last;
	return 0;
}

int sl_gen_range_parse_mac(const char *text, uint8_t mac[6], const char **error)
{
	static const char expected[] = "a MAC address: aa:bb:cc:dd:ee:ff";
	uint8_t parsed[6];

	if (strlen(text) != 17)
		return refuse(error, expected);
	for (size_t i = 0; i < 6; i++) {
		const char *byte = text + 3 * i;
		char digits[3] = { byte[0], byte[1], '\0' };

		if (strspn(digits, "0123456789abcdefABCDEF") != 2 ||
		    (i < 5 && byte[2] != ':'))
			return refuse(error, expected);
		parsed[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	memcpy(mac, parsed, sizeof(parsed));
	return 0;
}

static int add_cpu(unsigned int cpu, unsigned int *cpus, size_t room,
		   size_t *count)
{
	for (size_t i = 0; i < *count; i++)
		if (cpus[i] == cpu)
			return -EEXIST;
	if (*count == room)
		return -E2BIG;
	cpus[(*count)++] = cpu;
	return 0;
}

int sl_gen_range_parse_cpus(const char *text, unsigned int *cpus, size_t room,
			    size_t *count, const char **error)
{
	uint64_t low, last;
	char word[WORD_MAX];
	size_t found = 0;

	do {
		size_t length = strcspn(text, ",");

		if (length >= sizeof(word))
			return refuse(error, "a list of CPUs: 0,2-3");
		memcpy(word, text, length);
		word[length] = '\0';
		if (parse_span(word, 65535, &low, &last))
			return refuse(error, "a list of CPUs: 0,2-3");
		for (uint64_t i = 0; i <= last; i++)
			if (add_cpu((unsigned int)(low + i), cpus, room,
				    &found))
				return refuse(
					error,
					"each CPU once, and not more than 64");
		text += length;
	} while (*text++ == ',');
	*count = found;
	return 0;
}

static int flag_bit(const char *name, size_t length)
{
	static const char names[8][4] = { "fin", "syn", "rst", "psh",
					  "ack", "urg", "ece", "cwr" };

	for (int i = 0; i < 8; i++)
		if (length == 3 && !strncmp(name, names[i], 3))
			return i;
	return -EINVAL;
}

int sl_gen_range_parse_flags(const char *text, uint8_t *flags,
			     const char **error)
{
	static const char expected[] =
		"TCP flags: fin,syn,rst,psh,ack,urg,ece,cwr or 0-255";
	uint64_t number;
	uint8_t parsed = 0;

	if (!sl_gen_range_parse_number(text, 0, 255, &number)) {
		*flags = (uint8_t)number;
		return 0;
	}
	do {
		size_t length = strcspn(text, ",");
		int bit = flag_bit(text, length);

		if (bit < 0)
			return refuse(error, expected);
		parsed |= (uint8_t)(1u << bit);
		text += length;
	} while (*text++ == ',');
	*flags = parsed;
	return 0;
}
