// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "headers.h"

#include <errno.h>
#include <microhttpd.h>
#include <stddef.h>

static const struct {
	const char *name, *value;
} headers[] = {
	{ "Content-Security-Policy",
	  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
	  "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'" },
	{ "X-Content-Type-Options", "nosniff" },
	{ "X-Frame-Options", "DENY" },
	{ "Referrer-Policy", "no-referrer" },
	{ "Cross-Origin-Resource-Policy", "same-origin" },
	{ "Cross-Origin-Opener-Policy", "same-origin" },
	{ "Cache-Control", "no-store" },
};

int sl_headers_add(struct MHD_Response *response, const char *type)
{
	if (MHD_add_response_header(response, "Content-Type", type) != MHD_YES)
		return -ENOMEM;
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		if (MHD_add_response_header(response, headers[i].name,
					    headers[i].value) != MHD_YES)
			return -ENOMEM;
	return 0;
}
