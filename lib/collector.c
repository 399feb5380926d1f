// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "collector.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "error.h"

struct place {
	char host[256]; /* what a name in DNS may have, and its NUL */
	char port[8];
};

static int bad_place(const char *where, struct sl_error *error)
{
	return sl_error_set(error, -EINVAL,
			    "%s: not a collector; HOST, HOST:PORT or "
			    "[IPV6-ADDRESS]:PORT",
			    where);
}

/* Takes "HOST[:PORT]" apart; `port` is what it has unless it says so. */
static int split(const char *where, const char *port, struct place *place,
		 struct sl_error *error)
{
	const char *host = where, *colon = strrchr(where, ':');
	const char *end = colon;
	size_t length;

	if (*where == '[') {
		host++;
		end = strchr(where, ']');
		if (!end || (end[1] && end[1] != ':'))
			return bad_place(where, error);
		colon = end[1] ? end + 1 : NULL;
	} else if (!colon || strchr(where, ':') != colon) {
		end = where + strlen(where); /* no port; or IPv6, not in [] */
		colon = NULL;
	}
	if (colon)
		port = colon + 1;
	length = (size_t)(end - host);
	if (!length || length >= sizeof(place->host) || !*port ||
	    strlen(port) >= sizeof(place->port) ||
	    strspn(port, "0123456789") != strlen(port))
		return bad_place(where, error);
	memcpy(place->host, host, length);
	place->host[length] = '\0';
	strcpy(place->port, port);
	return 0;
}

static void name_it(struct sl_collector *collector, const struct addrinfo *at)
{
	char host[128] = "?", port[16] = "?";
	bool six = at->ai_family == AF_INET6;

	getnameinfo(at->ai_addr, at->ai_addrlen, host, sizeof(host), port,
		    sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
	snprintf(collector->name, sizeof(collector->name), "%s%s%s:%s",
		 six ? "[" : "", host, six ? "]" : "", port);
}

static int connect_to(const struct addrinfo *at)
{
	int fd = socket(at->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	if (connect(fd, at->ai_addr, at->ai_addrlen) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

int sl_collector_open(const char *where, const char *port,
		      struct sl_collector *collector, struct sl_error *error)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_DGRAM };
	struct addrinfo *found, *at;
	struct place place;
	int err = split(where, port, &place, error);
	int fd = -EADDRNOTAVAIL;

	if (err)
		return err;
	err = getaddrinfo(place.host, place.port, &hints, &found);
	if (err)
		return sl_error_set(error, -EHOSTUNREACH,
				    "%s: find the collector: %s", where,
				    err == EAI_SYSTEM ? strerror(errno) :
							gai_strerror(err));
	for (at = found; at; at = at->ai_next) {
		fd = connect_to(at);
		if (fd >= 0)
			break;
	}
	if (fd >= 0) {
		*collector = (struct sl_collector){ .fd = fd };
		name_it(collector, at);
	}
	freeaddrinfo(found);
	if (fd < 0)
		return sl_error_set(error, fd,
				    "%s: no way to the collector: %s; see `ip "
				    "route get`",
				    where, strerror(-fd));
	return 0;
}

/*
 * The first try may fail with what ICMP said of the datagram before: that one is
 * lost, and the error is gone. The second then sends this one, or fails for the
 * same reason, and this is the one that is lost.
 */
bool sl_collector_send(struct sl_collector *collector, const void *bytes,
		       size_t n, uint64_t now_ns)
{
	bool failing = collector->err;

	collector->sent++;
	if (send(collector->fd, bytes, n, MSG_DONTWAIT) < 0) {
		collector->lost++;
		collector->err = -errno;
		collector->failed_ns = now_ns;
		send(collector->fd, bytes, n, MSG_DONTWAIT);
	} else if (failing &&
		   now_ns - collector->failed_ns >= SL_COLLECTOR_CALM_NS) {
		collector->err = 0;
	}
	return failing != !!collector->err;
}

uint8_t sl_collector_source(const struct sl_collector *collector,
			    uint8_t addr[16])
{
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} own = { 0 };
	socklen_t length = sizeof(own);

	memset(addr, 0, 16);
	getsockname(collector->fd, &own.any, &length);
	if (own.any.sa_family == AF_INET6) {
		memcpy(addr, &own.in6.sin6_addr, 16);
		return 6;
	}
	memcpy(addr, &own.in.sin_addr, 4);
	return 4;
}

void sl_collector_close(struct sl_collector *collector)
{
	close(collector->fd);
	collector->fd = -1;
}
