/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Prefixes and MAC addresses, from text and back. */
#ifndef SLUICE_ADDRESS_H
#define SLUICE_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "config.h"

/*
 * Reads "ADDRESS" or "ADDRESS/BITS". Host bits are cleared, and *host_bits
 * says whether there were any. Returns NULL, or what is wrong (a static text;
 * then the outputs are unchanged).
 */
const char *sl_prefix_parse(const char *text, size_t length,
			    struct sl_prefix *prefix, bool *host_bits);

/* Six pairs of hexadecimal digits with colons. Returned as above. */
const char *sl_mac_parse(const char *text, size_t length, struct sl_mac *mac);

/* Room for any prefix or MAC as text, with its NUL. */
#define SL_ADDRESS_TEXT 64

/* Writes the canonical text; a whole address without its length. */
void sl_prefix_format(const struct sl_prefix *prefix,
		      char text[SL_ADDRESS_TEXT]);
void sl_mac_format(const struct sl_mac *mac, char text[SL_ADDRESS_TEXT]);

#endif /* SLUICE_ADDRESS_H */
