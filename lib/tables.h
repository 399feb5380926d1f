/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The tables of a generation while they are being built: one growing block of
 * bytes, addressed by offset because it moves as it grows.
 */
#ifndef SLUICE_TABLES_H
#define SLUICE_TABLES_H

#include <stddef.h>
#include <stdint.h>

/* The verifier refuses variable offsets of 1 << 29 and more (BPF_MAX_VAR_OFF). */
#define SL_TABLES_BYTES_MAX ((size_t)1 << 28)
/* What a filter may take where the configuration does not say. */
#define SL_TABLES_BYTES_DEFAULT ((size_t)64 << 20)

struct sl_tables_builder {
	uint8_t *bytes;
	size_t used, room;
	size_t reach; /* what lookups may read: up to there, or to the end */
};

/*
 * Appends `bytes` zero bytes at the next multiple of 8. Their offset, or
 * -ENOMEM, or -E2BIG past SL_TABLES_BYTES_MAX.
 */
int64_t sl_tables_reserve(struct sl_tables_builder *tables, size_t bytes);

/* The same at the next multiple of 64, a cache line. */
int64_t sl_tables_reserve_aligned(struct sl_tables_builder *tables,
				  size_t bytes);

/* Bytes below `end` may be read: sl_tables_close() makes them exist. */
void sl_tables_reach(struct sl_tables_builder *tables, size_t end);

/* Adds what may be read behind the end: 0, -ENOMEM or -E2BIG. */
int sl_tables_close(struct sl_tables_builder *tables);

/* Gives back, zeroed, what was reserved after `used` bytes were in use. */
void sl_tables_shrink(struct sl_tables_builder *tables, size_t used);

/* The address of an offset, valid until the next reservation. */
static inline void *sl_tables_pointer(const struct sl_tables_builder *tables,
				      uint32_t offset)
{
	return tables->bytes + offset;
}

void sl_tables_fini(struct sl_tables_builder *tables);

#endif /* SLUICE_TABLES_H */
