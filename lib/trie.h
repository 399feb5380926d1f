/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Segments -> the multibit tries of sluice/abi.h.
 */
#ifndef SLUICE_TRIE_H
#define SLUICE_TRIE_H

#include <stdint.h>

struct sl_segments;
struct sl_tables_builder;

/*
 * Appends the trie of `segments` to `tables`. The offset of its root, or
 * -ENOMEM, or -E2BIG; on failure the tables may have grown.
 */
int64_t sl_trie_build(const struct sl_segments *segments,
		      struct sl_tables_builder *tables);

/* The same for segments that cut the IPv4 space: root array and nodes of IPv4. */
int64_t sl_trie4_build(const struct sl_segments *segments,
		       struct sl_tables_builder *tables);

#endif /* SLUICE_TRIE_H */
