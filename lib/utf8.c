/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include "utf8.h"

#include <stdint.h>

/* What a lead byte says; RFC 3629, section 3. */
static size_t sequence(unsigned char lead, uint32_t *bits, uint32_t *lowest)
{
	if ((lead & 0xe0) == 0xc0) {
		*bits = lead & 0x1f;
		*lowest = 0x80;
		return 2;
	}
	if ((lead & 0xf0) == 0xe0) {
		*bits = lead & 0x0f;
		*lowest = 0x800;
		return 3;
	}
	if ((lead & 0xf8) == 0xf0) {
		*bits = lead & 0x07;
		*lowest = 0x10000;
		return 4;
	}
	return 0;
}

size_t sl_utf8_printable(const char *text, size_t length)
{
	const unsigned char *s = (const unsigned char *)text;
	uint32_t code = 0, lowest = 0;
	size_t n;

	if (!length)
		return 0;
	if (s[0] < 0x80)
		return s[0] >= 0x20 && s[0] != 0x7f;
	n = sequence(s[0], &code, &lowest);
	if (!n || n > length)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	/* Overlong, C1 controls, surrogates, past Unicode. */
	if (code < lowest || code < 0xa0 || code > 0x10ffff ||
	    (code >= 0xd800 && code <= 0xdfff))
		return 0;
	return n;
}
