// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "error.h"

#include <stdarg.h>
#include <stdio.h>

int sl_error_set(struct sl_error *error, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	return err;
}
