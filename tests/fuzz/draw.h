/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Choices made from the fuzzer's bytes, so that a changed byte changes one
 * choice. Behind the last byte they go on at random from a fixed seed: a short
 * input stands for a long list of rules, and the same each time.
 */
#ifndef SLUICE_FUZZ_DRAW_H
#define SLUICE_FUZZ_DRAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct draw {
	const uint8_t *data;
	size_t left;
	uint64_t state; /* of xorshift64 (Marsaglia, 2003); not 0 */
};

static inline uint8_t draw_byte(struct draw *d)
{
	if (d->left) {
		d->left--;
		return *d->data++;
	}
	d->state ^= d->state << 13;
	d->state ^= d->state >> 7;
	d->state ^= d->state << 17;
	return (uint8_t)(d->state >> 32);
}

/* 0 to n - 1, for n up to 65536. */
static inline uint32_t draw_below(struct draw *d, uint32_t n)
{
	uint32_t value = draw_byte(d);

	if (n > 256)
		value = value << 8 | draw_byte(d);
	return value % n;
}

/* True once in n times. */
static inline bool draw_one_in(struct draw *d, uint32_t n)
{
	return draw_below(d, n) == n - 1;
}

#define DRAW_OF(d, array) \
	((array)[draw_below(d, sizeof(array) / sizeof((array)[0]))])

#endif /* SLUICE_FUZZ_DRAW_H */
