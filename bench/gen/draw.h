/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which value of a range comes next; for the program and, in the unit tests,
 * for the host. An offset is relative to the range's base; `last` is the
 * greatest one.
 */
#ifndef SLUICE_GEN_DRAW_H
#define SLUICE_GEN_DRAW_H

#include <linux/types.h>

#include "checksum.h"

/* xorshift64* (Marsaglia 2003, Vigna 2016): three shifts and a product. */
GEN_INLINE __u64 gen_random(__u64 *seed)
{
	__u64 x = *seed;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*seed = x;
	return x * 0x2545f4914f6cdd1dull;
}

/*
 * Up to 2^32 values by multiply and shift, whose bias is under 2^-32 * size;
 * more by the remainder, which costs a division.
 */
GEN_INLINE __u64 gen_draw(__u64 *seed, __u64 last)
{
	__u64 r = gen_random(seed);

	if (last <= 0xffffffffu)
		return last == 0xffffffffu ? r >> 32 :
					     ((r >> 32) * (last + 1)) >> 32;
	return last == ~0ull ? r : r % (last + 1);
}

/* `step` must not exceed `last`; no intermediate wraps even at 2^64 values. */
GEN_INLINE __u64 gen_advance(__u64 pos, __u64 last, __u64 step)
{
	if (last - pos >= step)
		return pos + step;
	return step - (last - pos) - 1;
}

/* n modulo the number of values. */
GEN_INLINE __u64 gen_wrap(__u64 n, __u64 last)
{
	return last == ~0ull ? n : n % (last + 1);
}

#endif /* SLUICE_GEN_DRAW_H */
