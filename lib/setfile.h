/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Files that hold the items of a set: one prefix or MAC a line; blank lines
 * and what follows a # do not count.
 */
#ifndef SLUICE_SETFILE_H
#define SLUICE_SETFILE_H

#include <stddef.h>

struct sl_parser;
struct sl_set;
struct sl_pos;

/*
 * Reads `path`, which stands at `pos` of the configuration; a relative one is
 * found beside the configuration. Appends to the set's prefixes or MACs. 0,
 * -ENOMEM, or -EINVAL with each bad line reported at its place in the set
 * file, or, where the file cannot be read, at `pos`.
 */
int sl_setfile_read(struct sl_parser *p, struct sl_set *set, const char *path,
		    struct sl_pos pos);

/* `path` beside the file `config`, for the caller to free; NULL: no memory. */
char *sl_setfile_locate(const char *config, const char *path);

#endif /* SLUICE_SETFILE_H */
