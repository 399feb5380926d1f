/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The page and what belongs to it, built into the program. */
#ifndef SLUICE_EXPORTER_PAGE_H
#define SLUICE_EXPORTER_PAGE_H

#include <stddef.h>

struct sl_asset {
	const char *path, *type;
	const char *begin, *end;
};

/* What stands at this path, or NULL. */
const struct sl_asset *sl_page_find(const char *path);

#endif /* SLUICE_EXPORTER_PAGE_H */
