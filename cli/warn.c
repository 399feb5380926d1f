// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "warn.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <unistd.h>

#include "lib/journal.h"

static bool to_journal(const struct sl_journal_about *about, const char *text)
{
	int fd = sl_journal_is_stderr() ? sl_journal_open() : -1;
	bool sent;

	if (fd < 0)
		return false;
	sent = sl_journal_say(fd, "sluice", LOG_WARNING, about, text);
	close(fd);
	return sent;
}

void cli_warn(const struct sl_journal_about *about, const char *format, ...)
{
	char *rest, *text;
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vasprintf(&rest, format, arguments);
	va_end(arguments);
	if (n < 0)
		return;
	if (asprintf(&text, "sluice: %s: warning: %s", about->interface,
		     rest) >= 0) {
		if (!to_journal(about, text))
			fprintf(stderr, "%s\n", text);
		free(text);
	}
	free(rest);
}
