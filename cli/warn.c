// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "warn.h"

#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>

#include "lib/journal.h"

void cli_warn(const struct sl_journal_about *about, const char *format, ...)
{
	char object[IF_NAMESIZE + sizeof("sluice: : warning")], *text;
	va_list arguments;

	snprintf(object, sizeof(object), "sluice: %s: warning",
		 about->interface);
	va_start(arguments, format);
	text = sl_journal_text(object, format, arguments);
	va_end(arguments);
	if (text && (!sl_journal_is_stderr() ||
		     !sl_journal_say(-1, "sluice", LOG_WARNING, about, text)))
		fprintf(stderr, "%s\n", text);
	free(text);
}
