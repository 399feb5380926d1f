/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Random numbers that a seed repeats (xorshift64). For one file: the state is
 * its own.
 */
#ifndef SLUICE_TEST_RANDOM_NUMBERS_H
#define SLUICE_TEST_RANDOM_NUMBERS_H

#include <stdbool.h>
#include <stdint.h>

static uint64_t random_state; /* the seed, not 0 */

static inline uint32_t random_below(uint32_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 32) % n;
}

static inline bool one_in(uint32_t n)
{
	return random_below(n) == 0;
}

#endif /* SLUICE_TEST_RANDOM_NUMBERS_H */
