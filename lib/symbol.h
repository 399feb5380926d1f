/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A table from names to indices, for the names that a configuration defines.
 * The names stay the caller's and must outlive the table.
 */
#ifndef SLUICE_SYMBOL_H
#define SLUICE_SYMBOL_H

#include <stddef.h>

struct sl_symbol {
	const char *name; /* NULL: free */
	size_t index;
};

/* Start from `struct sl_symbols s = { 0 }`. */
struct sl_symbols {
	struct sl_symbol *slots;
	size_t n_slots; /* a power of two, or 0 */
	size_t n_used;
};

#define SL_SYMBOL_NONE ((size_t)-1)

/* The index of `name`, or SL_SYMBOL_NONE. */
size_t sl_symbols_find(const struct sl_symbols *symbols, const char *name);

/* Adds a name that is not there yet. 0 or -ENOMEM. */
int sl_symbols_add(struct sl_symbols *symbols, const char *name, size_t index);

void sl_symbols_fini(struct sl_symbols *symbols);

#endif /* SLUICE_SYMBOL_H */
