// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <bpf/libbpf.h>
#include <xdp/libxdp.h>

/* A verifier log can be megabytes; its end says what was wrong. */
static char kept[64 * 1024];
static char extack[256];

static void keep(const char *format, va_list args)
{
	size_t used = strlen(kept);

	if (used > sizeof(kept) / 2) {
		memmove(kept, kept + used / 2, used - used / 2 + 1);
		used = strlen(kept);
	}
	vsnprintf(kept + used, sizeof(kept) - used, format, args);
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
