// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "jsontext.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

json_t *sl_json_text(const char *text)
{
	json_t *string = json_string(text);
	size_t length = strlen(text);
	char *copy, *to;

	if (string)
		return string;
	copy = to = malloc(4 * length + 1);
	if (!copy)
		return NULL;
	for (size_t i = 0, n; i < length; i += n) {
		n = sl_utf8_printable(text + i, length - i);
		if (n) {
			memcpy(to, text + i, n);
			to += n;
		} else {
			to += sprintf(to, "\\x%02x", (unsigned char)text[i]);
			n = 1;
		}
	}
	*to = '\0';
	string = json_string(copy);
	free(copy);
	return string;
}
