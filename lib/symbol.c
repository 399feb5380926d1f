/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Open addressing, linear probing, at most half full. */
#include "symbol.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_MIN 64

/* FNV-1a, 64 bits. */
static size_t hash(const char *name)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 0x100000001b3u;
	return (size_t)(h ^ h >> 32);
}

/* The slot that holds `name`, or the free one where it belongs. */
static struct sl_symbol *probe(struct sl_symbol *slots, size_t n_slots,
			       const char *name)
{
	size_t i = hash(name) & (n_slots - 1);

	while (slots[i].name && strcmp(slots[i].name, name))
		i = (i + 1) & (n_slots - 1);
	return &slots[i];
}

size_t sl_symbols_find(const struct sl_symbols *symbols, const char *name)
{
	const struct sl_symbol *slot;

	if (!symbols->n_slots)
		return SL_SYMBOL_NONE;
	slot = probe(symbols->slots, symbols->n_slots, name);
	return slot->name ? slot->index : SL_SYMBOL_NONE;
}

static int grow(struct sl_symbols *symbols)
{
	size_t n = symbols->n_slots ? 2 * symbols->n_slots : SLOTS_MIN;
	struct sl_symbol *slots = calloc(n, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < symbols->n_slots; i++) {
		const struct sl_symbol *old = &symbols->slots[i];

		if (old->name)
			*probe(slots, n, old->name) = *old;
	}
	free(symbols->slots);
	symbols->slots = slots;
	symbols->n_slots = n;
	return 0;
}

int sl_symbols_add(struct sl_symbols *symbols, const char *name, size_t index)
{
	if (2 * symbols->n_used >= symbols->n_slots) {
		int err = grow(symbols);

		if (err)
			return err;
	}
	*probe(symbols->slots, symbols->n_slots, name) =
		(struct sl_symbol){ .name = name, .index = index };
	symbols->n_used++;
	return 0;
}

void sl_symbols_fini(struct sl_symbols *symbols)
{
	free(symbols->slots);
	*symbols = (struct sl_symbols){ 0 };
}
