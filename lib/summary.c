// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "summary.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define ETHERTYPE_IP4 0x0800
#define ETHERTYPE_IP6 0x86dd
#define ETHERTYPE_VLAN 0x8100
#define ETHERTYPE_QINQ 0x88a8
#define TAGS_MAX 2

#define IP4_BYTES 20
#define IP6_BYTES 40

struct writer {
	const uint8_t *at, *end;
	char *text;
	size_t used;
};

static void say(struct writer *w, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void say(struct writer *w, const char *format, ...)
{
	size_t room = SL_SUMMARY_BYTES - w->used;
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(w->text + w->used, room, format, arguments);
	va_end(arguments);
	if (n > 0)
		w->used += (size_t)n < room ? (size_t)n : room - 1;
}

static bool has(const struct writer *w, size_t bytes)
{
	return (size_t)(w->end - w->at) >= bytes;
}

static unsigned be16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static void say_protocol(struct writer *w, unsigned protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		say(w, "tcp ");
		break;
	case IPPROTO_UDP:
		say(w, "udp ");
		break;
	case IPPROTO_SCTP:
		say(w, "sctp ");
		break;
	case IPPROTO_ICMP:
		say(w, "icmp ");
		break;
	case IPPROTO_ICMPV6:
		say(w, "icmp6 ");
		break;
	default:
		say(w, "proto %u ", protocol);
	}
}

/* `ports`: where the ports are, or NULL. */
static void say_end(struct writer *w, int family, const uint8_t *address,
		    const uint8_t *port)
{
	char text[INET6_ADDRSTRLEN] = "";

	inet_ntop(family, address, text, sizeof(text));
	if (!port)
		say(w, "%s", text);
	else if (family == AF_INET6)
		say(w, "[%s]:%u", text, be16(port));
	else
		say(w, "%s:%u", text, be16(port));
}

static void say_flow(struct writer *w, int family, unsigned protocol,
		     const uint8_t *source, size_t address_bytes)
{
	bool ports = (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP ||
		      protocol == IPPROTO_SCTP) &&
		     has(w, 4);

	say_protocol(w, protocol);
	say_end(w, family, source, ports ? w->at : NULL);
	say(w, " > ");
	say_end(w, family, source + address_bytes, ports ? w->at + 2 : NULL);
}

static void say_ip4(struct writer *w)
{
	const uint8_t *ip = w->at;
	size_t header = has(w, IP4_BYTES) ? (ip[0] & 15u) * 4u : 0;
	bool later = header && be16(ip + 6) & 0x1fff;

	if (header < IP4_BYTES || ip[0] >> 4 != 4) {
		say(w, "ip, cut off or malformed");
		return;
	}
	/* A later fragment has no ports. */
	w->at = has(w, header) && !later ? ip + header : w->end;
	say_flow(w, AF_INET, ip[9], ip + 12, 4);
	if (later)
		say(w, ", later fragment");
}

/* Extension headers are not walked: they show as the protocol. */
static void say_ip6(struct writer *w)
{
	const uint8_t *ip = w->at;

	if (!has(w, IP6_BYTES) || ip[0] >> 4 != 6) {
		say(w, "ip6, cut off or malformed");
		return;
	}
	w->at += IP6_BYTES;
	say_flow(w, AF_INET6, ip[6], ip + 8, 16);
}

/* The MACs, which the frame has, and the tags; the ethertype of what follows. */
static unsigned say_tags(struct writer *w)
{
	unsigned type = 0;

	w->at += 12;
	for (int tags = 0; has(w, 2); tags++) {
		type = be16(w->at);
		w->at += 2;
		if ((type != ETHERTYPE_VLAN && type != ETHERTYPE_QINQ) ||
		    tags == TAGS_MAX || !has(w, 2))
			break;
		say(w, "vlan %u ", be16(w->at) & 4095);
		w->at += 2;
	}
	return type;
}

void sl_summary_write(const uint8_t *frame, size_t bytes,
		      char text[SL_SUMMARY_BYTES])
{
	struct writer w = { .at = frame, .end = frame + bytes, .text = text };
	unsigned type;

	text[0] = '\0';
	if (!has(&w, 14)) {
		say(&w, "cut off");
		return;
	}
	type = say_tags(&w);
	if (type == ETHERTYPE_IP4)
		say_ip4(&w);
	else if (type == ETHERTYPE_IP6)
		say_ip6(&w);
	else
		say(&w, "ethertype 0x%04x", type);
}

bool sl_summary_source(const uint8_t *frame, size_t bytes,
		       char text[SL_SUMMARY_SOURCE])
{
	char tags[SL_SUMMARY_BYTES];
	struct writer w = { .at = frame, .end = frame + bytes, .text = tags };
	unsigned type = has(&w, 14) ? say_tags(&w) : 0;

	if (type == ETHERTYPE_IP4 && has(&w, IP4_BYTES) && w.at[0] >> 4 == 4)
		return inet_ntop(AF_INET, w.at + 12, text, SL_SUMMARY_SOURCE);
	if (type == ETHERTYPE_IP6 && has(&w, IP6_BYTES) && w.at[0] >> 4 == 6)
		return inet_ntop(AF_INET6, w.at + 8, text, SL_SUMMARY_SOURCE);
	return false;
}

void sl_summary_time(uint64_t time_ns, char text[SL_SUMMARY_TIME])
{
	time_t seconds = (time_t)(time_ns / 1000000000u);
	struct tm utc;
	size_t used;

	gmtime_r(&seconds, &utc);
	used = strftime(text, SL_SUMMARY_TIME, "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(text + used, SL_SUMMARY_TIME - used, ".%09uZ",
		 (unsigned)(time_ns % 1000000000u));
}
