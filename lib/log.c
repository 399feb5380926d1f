// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/libbpf.h>
#include <xdp/libxdp.h>

/* A verifier log can be megabytes; its end says what was wrong. */
static char kept[64 * 1024];
static char extack[256];

/* Adds a text of any length; what does not fit goes from the front. */
static void keep(const char *format, va_list args)
{
	size_t used = strlen(kept), length, over;
	char *text;

	if (vasprintf(&text, format, args) < 0)
		return;
	length = strlen(text);
	over = length >= sizeof(kept) ? length - sizeof(kept) + 1 : 0;
	if (used + length - over >= sizeof(kept)) {
		size_t drop = used + length - over - sizeof(kept) + 1;

		memmove(kept, kept + drop, used - drop);
		used -= drop;
	}
	memcpy(kept + used, text + over, length - over + 1);
	free(text);
}

static int keep_libbpf(enum libbpf_print_level level, const char *format,
		       va_list args)
{
	if (level == LIBBPF_WARN)
		keep(format, args);
	return 0;
}

static int keep_libxdp(enum libxdp_print_level level, const char *format,
		       va_list args)
{
	if (level == LIBXDP_WARN)
		keep(format, args);
	return 0;
}

void sl_log_init(void)
{
	libbpf_set_print(keep_libbpf);
	libxdp_set_print(keep_libxdp);
}

void sl_log_clear(void)
{
	kept[0] = '\0';
}

const char *sl_log_text(void)
{
	return kept;
}

const char *sl_log_extack(void)
{
	/* nlattr.c of libbpf prints this line for NLMSGERR_ATTR_MSG. */
	static const char mark[] = "Kernel error message: ";
	const char *found = strstr(kept, mark);

	if (!found)
		return NULL;
	snprintf(extack, sizeof(extack), "%s", found + strlen(mark));
	extack[strcspn(extack, "\n")] = '\0';
	return extack;
}

const char *sl_log_tail(void)
{
	size_t length = strlen(kept);

	return length > 3000 ? kept + length - 3000 : kept;
}
