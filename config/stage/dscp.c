// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * An example of a stage (docs/stages.md): marks IPv4 and IPv6 packets with a DSCP, behind up to
 * two VLAN tags, and corrects the IPv4 header checksum. Anything else goes on unchanged.
 *
 *     cc -O2 -shared -fPIC -o dscp.so dscp.c          and in the configuration:
 *     forwarder { wire eth1 eth2; stage "dscp.so" }
 */
#include <arpa/inet.h>
#include <stddef.h>
#include <string.h>

#include <sluice/stage.h>

#ifndef DSCP
#define DSCP 46 /* expedited forwarding, RFC 3246 */
#endif

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd
#define ETHERTYPE_VLAN 0x8100
#define ETHERTYPE_QINQ 0x88a8
#define VLANS_MAX 2

#define ETHERNET_BYTES 14u
#define VLAN_BYTES 4u
#define IPV4_BYTES 20u
#define IPV6_BYTES 40u

/* Headers need not be aligned in a frame. */
static uint16_t load(const uint8_t *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	return ntohs(value);
}

static void store(uint8_t *at, uint16_t value)
{
	value = htons(value);
	memcpy(at, &value, sizeof(value));
}

/* RFC 1624, equation 3: the checksum after one 16-bit word changed. */
static uint16_t checksum_update(uint16_t checksum, uint16_t old, uint16_t new)
{
	uint32_t sum = (uint16_t)~checksum + (uint16_t)~old + new;

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void mark_ipv4(uint8_t *header)
{
	uint16_t old = load(header);
	uint16_t new = (uint16_t)((old & 0xff03) | DSCP << 2);

	store(header, new);
	store(header + 10, checksum_update(load(header + 10), old, new));
}

/* Version (4 bits), traffic class (DSCP 6, ECN 2), flow label; no checksum. */
static void mark_ipv6(uint8_t *header)
{
	store(header, (uint16_t)((load(header) & 0xf03f) | DSCP << 6));
}

static void mark(uint8_t *frame, size_t bytes)
{
	size_t at = ETHERNET_BYTES;
	uint16_t type = load(frame + at - 2);

	for (int i = 0; i < VLANS_MAX && at + VLAN_BYTES <= bytes &&
			(type == ETHERTYPE_VLAN || type == ETHERTYPE_QINQ);
	     i++) {
		at += VLAN_BYTES;
		type = load(frame + at - 2);
	}
	if (type == ETHERTYPE_IPV4 && at + IPV4_BYTES <= bytes &&
	    frame[at] >> 4 == 4)
		mark_ipv4(frame + at);
	else if (type == ETHERTYPE_IPV6 && at + IPV6_BYTES <= bytes &&
		 frame[at] >> 4 == 6)
		mark_ipv6(frame + at);
}

static void process(void *state, const struct sl_stage_burst *burst)
{
	(void)state;
	for (uint32_t i = 0; i < burst->n; i++) {
		const struct iovec *head = burst->packets[i].buffers;

		if (head->iov_len >= ETHERNET_BYTES)
			mark(head->iov_base, head->iov_len);
	}
}

const struct sl_stage_object sluice_stage = {
	.abi = SL_STAGE_ABI,
	.process = process,
};
