// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "request.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

/* ":PORT" or nothing. */
static bool is_port(const char *text)
{
	if (!*text)
		return true;
	return *text == ':' && text[1] &&
	       strspn(text + 1, "0123456789") == strlen(text + 1);
}

static bool is_address(int family, const char *text, size_t length)
{
	unsigned char address[sizeof(struct in6_addr)];
	char copy[INET6_ADDRSTRLEN];

	if (length >= sizeof(copy))
		return false;
	memcpy(copy, text, length);
	copy[length] = '\0';
	return inet_pton(family, copy, address) == 1;
}

bool sl_request_host_local(const char *host)
{
	static const char name[] = "localhost";
	size_t length;

	if (!host)
		return true; /* HTTP/1.0: no browser */
	if (*host == '[') {
		const char *end = strchr(host, ']');

		return end && is_port(end + 1) &&
		       is_address(AF_INET6, host + 1, (size_t)(end - host - 1));
	}
	length = strcspn(host, ":");
	if (!is_port(host + length))
		return false;
	return (length == sizeof(name) - 1 &&
		strncasecmp(host, name, length) == 0) ||
	       is_address(AF_INET, host, length);
}

enum sl_text sl_request_text(const char *accept)
{
	if (accept && strcasestr(accept, "text/plain") &&
	    !strcasestr(accept, "application/openmetrics-text"))
		return SL_TEXT_OLD;
	return SL_TEXT_OPEN;
}
