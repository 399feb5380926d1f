/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Growing arrays that keep only pointer and count: the room follows from the
 * count (8, then each power of two), so appending n elements costs O(n).
 */
#ifndef SLUICE_ARRAY_H
#define SLUICE_ARRAY_H

#include <stddef.h>

/*
 * Makes room for one more element after `count` of `size` bytes, and zeroes
 * it. Returns the array, which may have moved and belongs to the caller; NULL
 * when memory is out, and then `array` is unchanged. Start from (NULL, 0).
 */
void *sl_array_room(void *array, size_t count, size_t size);

#endif /* SLUICE_ARRAY_H */
