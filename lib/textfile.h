/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef SLUICE_TEXTFILE_H
#define SLUICE_TEXTFILE_H

#include <stddef.h>

/*
 * Reads a file whole, up to `most` bytes. 0, and *text (with a NUL that
 * *length does not count) is the caller's to free; or -errno, with -EFBIG for
 * a longer file, and the outputs unchanged. Pipes are read to their end.
 */
int sl_textfile_read(const char *path, size_t most, char **text,
		     size_t *length);

#endif /* SLUICE_TEXTFILE_H */
