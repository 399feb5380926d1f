/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef SLUICE_UTF8_H
#define SLUICE_UTF8_H

#include <stddef.h>

/*
 * How many bytes the printable character at the start of `text` takes (1-4),
 * or 0 where there is none: a control character (tab and newline included), or
 * bytes that are not UTF-8 (RFC 3629). `length` is what may be read.
 */
size_t sl_utf8_printable(const char *text, size_t length);

#endif /* SLUICE_UTF8_H */
