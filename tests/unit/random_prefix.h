/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef SLUICE_TEST_RANDOM_PREFIX_H
#define SLUICE_TEST_RANDOM_PREFIX_H

#include "lib/config.h"
#include "random_numbers.h"

/* Few distinct bits, so that prefixes nest, touch and repeat. `whole`: an address. */
static inline struct sl_prefix random_prefix(bool whole)
{
	static const uint8_t bytes[] = { 0, 1, 0x7f, 0x80, 0xff };
	struct sl_prefix p = { .family = random_below(2) ? 4 : 6 };
	unsigned size = p.family == 4 ? 4 : 16;

	p.length = (uint8_t)random_below(size * 8 + 1);
	if (whole || random_below(4) == 0)
		p.length = (uint8_t)(size * 8);
	for (unsigned i = 0; i < size; i++)
		p.addr[i] = bytes[random_below(sizeof(bytes))];
	for (unsigned bit = p.length; bit < size * 8; bit++)
		p.addr[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	return p;
}

#endif /* SLUICE_TEST_RANDOM_PREFIX_H */
