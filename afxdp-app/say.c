// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "say.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void sl_fwd_say_error(const char *object, const char *operation, int err,
		      const char *remedy)
{
	fprintf(stderr, "%s: %s: %s%s%s\n", object, operation, strerror(-err),
		remedy ? "; " : "", remedy ? remedy : "");
}

void sl_fwd_say_of(const char *object, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "%s: ", object);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
}

void sl_fwd_say(const char *format, ...)
{
	va_list arguments;

	fputs("sluice-fwd: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
}
