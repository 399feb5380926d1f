/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Segments -> the multibit trie of sluice/abi.h (struct sl_trie_node).
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

#endif /* SLUICE_TRIE_H */
