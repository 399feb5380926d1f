// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "tables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int64_t sl_tables_reserve(struct sl_tables_builder *tables, size_t bytes)
{
	size_t offset = (tables->used + 7) & ~(size_t)7;

	if (bytes > SL_TABLES_BYTES_MAX || offset + bytes > SL_TABLES_BYTES_MAX)
		return -E2BIG;
	if (offset + bytes > tables->room) {
		size_t room = tables->room ? tables->room : 4096;
		uint8_t *grown;

		while (room < offset + bytes)
			room *= 2;
		grown = realloc(tables->bytes, room);
		if (!grown)
			return -ENOMEM;
		memset(grown + tables->room, 0, room - tables->room);
		tables->bytes = grown;
		tables->room = room;
	}
	tables->used = offset + bytes;
	return (int64_t)offset;
}

void sl_tables_shrink(struct sl_tables_builder *tables, size_t used)
{
	memset(tables->bytes + used, 0, tables->used - used);
	tables->used = used;
}

void sl_tables_fini(struct sl_tables_builder *tables)
{
	free(tables->bytes);
	*tables = (struct sl_tables_builder){ 0 };
}
