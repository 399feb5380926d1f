/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include "address.h"

#include <arpa/inet.h>
#include <string.h>

/* Reads a prefix length of up to three digits; -1: it is none. */
static int parse_bits(const char *text, size_t length)
{
	int bits = 0;

	if (!length || length > 3 || (length > 1 && text[0] == '0'))
		return -1;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		bits = 10 * bits + text[i] - '0';
	}
	return bits;
}

static bool clear_host_bits(struct sl_prefix *prefix, int bytes)
{
	bool any = false;

	for (int i = 0; i < bytes; i++) {
		int keep = prefix->length - 8 * i;
		uint8_t mask = keep >= 8 ? 0xff :
			       keep <= 0 ? 0 :
					   (uint8_t)(0xff << (8 - keep));

		any |= prefix->addr[i] & ~mask;
		prefix->addr[i] &= mask;
	}
	return any;
}

const char *sl_prefix_parse(const char *text, size_t length,
			    struct sl_prefix *prefix, bool *host_bits)
{
	const char *slash = memchr(text, '/', length);
	size_t n = slash ? (size_t)(slash - text) : length;
	struct sl_prefix p = { 0 };
	char address[INET6_ADDRSTRLEN];
	int most, bits;

	if (!n || n >= sizeof(address))
		return "not an address";
	memcpy(address, text, n);
	address[n] = '\0';
	if (memchr(address, '\0', n))
		return "not an address";
	p.family = memchr(address, ':', n) ? 6 : 4;
	most = p.family == 6 ? 128 : 32;
	if (inet_pton(p.family == 6 ? AF_INET6 : AF_INET, address, p.addr) != 1)
		return "not an address";
	bits = slash ? parse_bits(slash + 1, length - n - 1) : most;
	if (bits < 0)
		return "not a prefix length";
	if (bits > most)
		return p.family == 6 ? "a prefix length over 128" :
				       "a prefix length over 32";
	p.length = (uint8_t)bits;
	*host_bits = clear_host_bits(&p, most / 8);
	*prefix = p;
	return NULL;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

const char *sl_mac_parse(const char *text, size_t length, struct sl_mac *mac)
{
	struct sl_mac m;

	if (length != 17)
		return "not a MAC address";
	for (size_t i = 0; i < 6; i++) {
		int high = hex(text[3 * i]), low = hex(text[3 * i + 1]);

		if (high < 0 || low < 0 || (i < 5 && text[3 * i + 2] != ':'))
			return "not a MAC address";
		m.addr[i] = (uint8_t)(high << 4 | low);
	}
	*mac = m;
	return NULL;
}

void sl_prefix_format(const struct sl_prefix *prefix,
		      char text[SL_ADDRESS_TEXT])
{
	size_t n;

	inet_ntop(prefix->family == 6 ? AF_INET6 : AF_INET, prefix->addr, text,
		  SL_ADDRESS_TEXT);
	n = strlen(text);
	if (prefix->length != (prefix->family == 6 ? 128 : 32))
		snprintf(text + n, SL_ADDRESS_TEXT - n, "/%u", prefix->length);
}

void sl_mac_format(const struct sl_mac *mac, char text[SL_ADDRESS_TEXT])
{
	const uint8_t *a = mac->addr;

	snprintf(text, SL_ADDRESS_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", a[0],
		 a[1], a[2], a[3], a[4], a[5]);
}
