/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Files that are whole whenever somebody looks, also after a crash: written
 * beside their place, flushed, renamed into it, and then the directory flushed.
 * If the data could come after the name, a crash would leave an empty file.
 */
#ifndef SLUICE_DURABLE_H
#define SLUICE_DURABLE_H

#include <stddef.h>

/* Behind the name of the file while it is written; a crash may leave one. */
#define SL_DURABLE_NEW ".new"

/*
 * Makes `name` in the directory `dir`, mode 0600, or replaces it. 0, or -errno
 * and the file that was there still is, and no other.
 */
int sl_durable_write(int dir, const char *name, const char *data, size_t bytes);

#endif /* SLUICE_DURABLE_H */
