/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include "array.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_MIN 8 /* most lists of a configuration are shorter */

void *sl_array_room(void *array, size_t count, size_t size)
{
	size_t room = count ? 2 * count : ROOM_MIN;
	bool full = !count || (count >= ROOM_MIN && !(count & (count - 1)));

	if (full) {
		array = reallocarray(array, room, size);
		if (!array)
			return NULL;
	}
	memset((char *)array + count * size, 0, size);
	return array;
}
