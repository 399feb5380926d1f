// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "tables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/abi.h"

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

int64_t sl_tables_reserve_aligned(struct sl_tables_builder *tables,
				  size_t bytes)
{
	int64_t pad = sl_tables_reserve(tables, -tables->used & 63);

	return pad < 0 ? pad : sl_tables_reserve(tables, bytes);
}

void sl_tables_reach(struct sl_tables_builder *tables, size_t end)
{
	if (end > tables->reach)
		tables->reach = end;
}

int sl_tables_close(struct sl_tables_builder *tables)
{
	size_t more = SL_TABLE_SLACK;
	int64_t offset;

	if (tables->reach > tables->used + more)
		more = tables->reach - tables->used;
	offset = sl_tables_reserve(tables, more);
	return offset < 0 ? (int)offset : 0;
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
