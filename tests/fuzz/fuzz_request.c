// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * What sluice-exporter itself looks at of a request, and what it writes of a name: HTTP is
 * libmicrohttpd's to parse. Input: a first byte, then any text.
 *
 *   0  a Host line: what is taken for this host names no other
 *   1  an Accept line
 *   2  a name as a label: one line that says it, and nothing else, whatever is in it
 *   3  an address to listen on
 */
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "exporter/exposition.h"
#include "exporter/request.h"
#include "lib/listen.h"

#define BEGIN "name_total{label=\""
#define END "\"} 1\n"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds, const char *what, const char *text)
{
	if (holds)
		return;
	fprintf(stderr, "%s: %s\n", what, text);
	abort();
}

static void check_host(const char *text)
{
	const char *rest = text;

	if (!sl_request_host_local(text))
		return;
	if (strncasecmp(text, "localhost", 9) == 0)
		rest += 9;
	/* What is left is a number of some kind. */
	for (; *rest; rest++)
		expect(isxdigit((unsigned char)*rest) || strchr(".:[]", *rest),
		       "a name passed for an address", text);
}

static void check_label(const char *text)
{
	struct sl_exposition e = { .open = true };
	char *line = NULL;
	size_t length = 0, at = strlen(BEGIN);

	e.out = open_memstream(&line, &length);
	if (!e.out)
		return;
	e.name = "name";
	e.suffix = "_total";
	sl_exposition_label(&e, "label", text);
	sl_exposition_count(&e, 1);
	fclose(e.out);
	expect(strncmp(line, BEGIN, at) == 0, "begins otherwise", line);
	for (; line[at] && line[at] != '"'; at++) {
		expect((unsigned char)line[at] >= ' ', "a control character",
		       line);
		if (line[at] == '\\') {
			at++;
			expect(line[at] == '"' || line[at] == '\\',
			       "an escape that there is not", line);
		}
	}
	expect(strcmp(line + at, END) == 0, "the name broke out", line);
	free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sl_listen listen;
	char *text;

	if (!size)
		return 0;
	text = malloc(size);
	if (!text)
		return 0;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	if (data[0] % 4 == 0)
		check_host(text);
	else if (data[0] % 4 == 1)
		expect(sl_request_text(text) <= SL_TEXT_OLD, "no such text",
		       text);
	else if (data[0] % 4 == 2)
		check_label(text);
	else if (sl_listen_parse(text, &listen) == 0)
		expect(listen.length <= sizeof(listen.address), "too long",
		       text);
	free(text);
	return 0;
}
