// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

/* What stands behind the last colon, in network order; false: no port. */
static bool take_port(const char *colon, in_port_t *port)
{
	unsigned long value;
	size_t digits = strspn(colon + 1, "0123456789");

	if (!digits || digits > 5 || colon[1 + digits])
		return false;
	value = strtoul(colon + 1, NULL, 10);
	*port = htons((uint16_t)value);
	return value <= UINT16_MAX;
}

static int parse_path(const char *text, struct sl_listen *listen)
{
	struct sockaddr_un unix_address = { .sun_family = AF_UNIX };

	if (strlen(text) >= sizeof(unix_address.sun_path))
		return -EINVAL;
	strcpy(unix_address.sun_path, text);
	*listen = (struct sl_listen){ .length = sizeof(unix_address) };
	memcpy(&listen->address, &unix_address, sizeof(unix_address));
	return 0;
}

int sl_listen_parse(const char *text, struct sl_listen *listen)
{
	struct sockaddr_in ip4 = { .sin_family = AF_INET };
	struct sockaddr_in6 ip6 = { .sin6_family = AF_INET6 };
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN + 2];
	size_t length;

	if (*text == '/')
		return parse_path(text, listen);
	length = colon ? (size_t)(colon - text) : 0;
	if (!length || length >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, length);
	host[length] = '\0';
	if (take_port(colon, &ip4.sin_port) &&
	    inet_pton(AF_INET, host, &ip4.sin_addr) == 1) {
		*listen = (struct sl_listen){ .length = sizeof(ip4) };
		memcpy(&listen->address, &ip4, sizeof(ip4));
		return 0;
	}
	if (*host != '[' || host[length - 1] != ']')
		return -EINVAL;
	host[length - 1] = '\0';
	if (!take_port(colon, &ip6.sin6_port) ||
	    inet_pton(AF_INET6, host + 1, &ip6.sin6_addr) != 1)
		return -EINVAL;
	*listen = (struct sl_listen){ .length = sizeof(ip6) };
	memcpy(&listen->address, &ip6, sizeof(ip6));
	return 0;
}

bool sl_listen_local(const struct sl_listen *listen)
{
	struct sockaddr_in ip4;
	struct sockaddr_in6 ip6;

	switch (listen->address.ss_family) {
	case AF_INET:
		memcpy(&ip4, &listen->address, sizeof(ip4));
		return ntohl(ip4.sin_addr.s_addr) >> IN_CLASSA_NSHIFT ==
		       IN_LOOPBACKNET;
	case AF_INET6:
		memcpy(&ip6, &listen->address, sizeof(ip6));
		return IN6_IS_ADDR_LOOPBACK(&ip6.sin6_addr);
	default:
		return listen->address.ss_family == AF_UNIX;
	}
}
