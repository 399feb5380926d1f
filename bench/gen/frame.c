// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>

#include "checksum.h"
#include "options.h"

#define FRAME_MIN 60 /* IEEE 802.3: 64 with the FCS */
#define TAG_BYTES 4
#define HOPS 64

static uint32_t l3_offset(const struct options *o)
{
	return ETH_HLEN + (o->vlan_given ? TAG_BYTES : 0);
}

static uint32_t l4_offset(const struct options *o)
{
	return l3_offset(o) + (o->dst.family == 6 ? sizeof(struct ip6_hdr) :
						    sizeof(struct iphdr));
}

static uint32_t head_bytes(const struct options *o)
{
	return l4_offset(o) +
	       (o->tcp ? sizeof(struct tcphdr) : sizeof(struct udphdr));
}

uint32_t sl_gen_frame_shortest(const struct options *options)
{
	uint32_t head = head_bytes(options);

	return head > FRAME_MIN ? head : FRAME_MIN;
}

static void put16(uint8_t *to, uint16_t host)
{
	to[0] = (uint8_t)(host >> 8);
	to[1] = (uint8_t)host;
}

static void write_ethernet(uint8_t *eth, const struct options *o,
			   const uint8_t mac[6])
{
	uint16_t type = o->dst.family == 6 ? ETH_P_IPV6 : ETH_P_IP;

	memcpy(eth, o->dst_mac, ETH_ALEN);
	memcpy(eth + ETH_ALEN, o->src_mac_given ? o->src_mac : mac, ETH_ALEN);
	if (o->vlan_given) {
		put16(eth + 12, ETH_P_8021Q);
		put16(eth + 14, o->vlan);
		put16(eth + 16, type);
	} else {
		put16(eth + 12, type);
	}
}

/* A varying address is left zero: the part that varies, that is. */
static void write_address(uint8_t *to, const struct address_range *range)
{
	if (range->family == 6)
		memcpy(to, range->first, range->last ? 8 : 16);
	else if (!range->last)
		memcpy(to, range->first, 4);
}

/* Returns the sum over the pseudo header (RFC 768, 9293, 8200 section 8.1). */
static uint32_t write_ip(struct frame *f, const struct options *o)
{
	uint8_t proto = o->tcp ? IPPROTO_TCP : IPPROTO_UDP;
	uint32_t l4_bytes = f->length - f->config.l4;
	uint8_t *ip = f->bytes + f->config.l3;
	uint32_t sum = htons(proto) + htons((uint16_t)l4_bytes);

	if (o->dst.family == 6) {
		ip[0] = 0x60;
		put16(ip + 4, (uint16_t)l4_bytes);
		ip[6] = proto;
		ip[7] = HOPS;
		write_address(ip + 8, &o->src);
		write_address(ip + 24, &o->dst);
		return sum + gen_sum_bytes(ip + 8, 32);
	}
	ip[0] = 0x45;
	put16(ip + 2, (uint16_t)(f->length - f->config.l3));
	put16(ip + 6, IP_DF); /* so the identification may stay 0: RFC 6864 */
	ip[8] = HOPS;
	ip[9] = proto;
	write_address(ip + 12, &o->src);
	write_address(ip + 16, &o->dst);
	f->config.ip_sum = gen_sum_bytes(ip, sizeof(struct iphdr));
	return sum + gen_sum_bytes(ip + 12, 8);
}

static void write_l4(struct frame *f, const struct options *o, uint32_t pseudo)
{
	uint32_t bytes = f->length - f->config.l4;
	uint8_t *l4 = f->bytes + f->config.l4;

	if (!o->sport.last)
		put16(l4, o->sport.first);
	if (!o->dport.last)
		put16(l4 + 2, o->dport.first);
	if (o->tcp) {
		l4[12] = (sizeof(struct tcphdr) / 4) << 4;
		l4[13] = o->flags;
		put16(l4 + 14, 0xffff); /* window */
		f->config.l4_check =
			f->config.l4 + offsetof(struct tcphdr, check);
	} else {
		put16(l4 + 4, (uint16_t)bytes);
		f->config.l4_check =
			f->config.l4 + offsetof(struct udphdr, check);
		f->config.udp = 1;
	}
	/* A payload that shows a byte lost or moved. */
	for (uint32_t i = f->config.head_bytes; i < f->length; i++)
		f->bytes[i] = (uint8_t)(i - f->config.head_bytes);
	f->config.l4_sum = pseudo + gen_sum_bytes(l4, bytes);
}

static struct gen_range address_values(const struct address_range *range)
{
	return (struct gen_range){ .base = sl_gen_range_low(range),
				   .last = range->last };
}

static struct gen_range port_values(const struct port_range *range)
{
	return (struct gen_range){ .base = range->first, .last = range->last };
}

int sl_gen_frame_init(struct frame *frame, const struct options *options,
		      const uint8_t mac[6])
{
	struct frame f = {
		.length = options->size_bytes ? options->size_bytes : sl_gen_frame_shortest(options),
		.config = {
			.l3 = l3_offset(options),
			.l4 = l4_offset(options),
			.head_bytes = head_bytes(options),
			.ip6 = options->dst.family == 6,
			.random = options->random,
			.step = 1,
		},
	};

	f.bytes = calloc(1, f.length);
	if (!f.bytes)
		return -ENOMEM;
	write_ethernet(f.bytes, options, mac);
	write_l4(&f, options, write_ip(&f, options));
	memcpy(f.config.head, f.bytes, f.config.head_bytes);
	f.config.range[GEN_SRC] = address_values(&options->src);
	f.config.range[GEN_DST] = address_values(&options->dst);
	f.config.range[GEN_SPORT] = port_values(&options->sport);
	f.config.range[GEN_DPORT] = port_values(&options->dport);
	*frame = f;
	return 0;
}

void sl_gen_frame_fini(struct frame *frame)
{
	free(frame->bytes);
	frame->bytes = NULL;
}
