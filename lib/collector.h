/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Who datagrams are sent to, without an answer: a connected UDP socket. That a
 * datagram was not taken is known only when the next is sent, by what ICMP has
 * said meanwhile; and hosts say so about once a second (net.ipv4.icmp_ratelimit),
 * however many they refuse.
 */
#ifndef SLUICE_COLLECTOR_H
#define SLUICE_COLLECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sl_error;

struct sl_collector {
	int fd;
	char name[256];	     /* "192.0.2.1:6343", "[2001:db8::1]:6343" */
	int err;	     /* why what is sent is lost; 0: it is not */
	uint64_t failed_ns;  /* when that was last seen */
	uint64_t sent, lost; /* datagrams; lost: that are known to be */
};

/*
 * "HOST", "HOST:PORT", "[ADDRESS]:PORT" or an IPv6 address alone; a name is
 * looked up now and not again. 0 and the caller closes *collector, or -errno
 * with a message: -EINVAL when it is not such a text.
 */
int sl_collector_open(const char *where, const char *port,
		      struct sl_collector *collector, struct sl_error *error);

/* After so long without an error the collector is taken to be there again. */
#define SL_COLLECTOR_CALM_NS 3000000000u

/*
 * Sends one datagram, at now_ns by any clock that does not go back; never waits.
 * Whether `err` has come or gone by that.
 */
bool sl_collector_send(struct sl_collector *collector, const void *bytes,
		       size_t n, uint64_t now_ns);

/* The address that they are sent from: 4 or 6, and its bytes in `addr`. */
uint8_t sl_collector_source(const struct sl_collector *collector,
			    uint8_t addr[16]);

void sl_collector_close(struct sl_collector *collector);

#endif /* SLUICE_COLLECTOR_H */
