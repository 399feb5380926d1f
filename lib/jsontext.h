/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef SLUICE_JSONTEXT_H
#define SLUICE_JSONTEXT_H

struct json_t;

/*
 * A JSON string of a name that others gave: the kernel takes any bytes for an interface's,
 * and for a path. JSON has UTF-8 alone, and libjansson refuses the rest, with the object that it
 * was for: what is not UTF-8 is written as \xNN, the byte in hexadecimal. NULL without memory.
 */
struct json_t *sl_json_text(const char *text);

#endif /* SLUICE_JSONTEXT_H */
