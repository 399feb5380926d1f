// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The parser of xdp/packet.h against the reference parser (reference.c), on
 * any bytes. The frame, or its linear part, lies in a heap block of exactly
 * its size, so the address sanitizer sees each read behind the end.
 *
 * Input: 2 bytes, how many bytes of the frame's end are not in its linear part
 * (little endian, taken modulo the frame's size plus one); 1 byte, which of
 * the optional facts are wanted; the frame.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reference.h"
#include "xdp/packet.h"

#define HEAD_BYTES 3
/* What a VLAN id, a port, ... is when unknown; see struct facts. */
#define UNKNOWN (-1)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const __u32 optional[] = { SL_WANT(FLAGS), SL_WANT(DSCP),
				  SL_WANT(LENGTH), SL_WANT(MAC_SRC),
				  SL_WANT(MAC_DST) };

static void check(const char *fact, long long got, long long want)
{
	if (got == want)
		return;
	fprintf(stderr, "%s: the parser says %lld, the reference %lld\n", fact,
		got, want);
	abort();
}

/* The parser keeps an address in two words, IPv4 in the top of the first. */
static void check_address(const char *fact, const __u64 got[2],
			  const uint8_t want[16])
{
	for (int i = 0; i < 16; i++)
		check(fact, got[i / 8] >> (56 - i % 8 * 8) & 0xff, want[i]);
}

static void check_mac(const char *fact, __u64 got, const uint8_t want[6])
{
	for (int i = 0; i < 8; i++)
		check(fact, got >> (56 - i * 8) & 0xff, i < 6 ? want[i] : 0);
}

static int or_unknown(int value, int none)
{
	return value == none ? UNKNOWN : value;
}

static void check_wanted(const struct sl_packet *p, const struct facts *f,
			 __u32 want)
{
	if (want & SL_WANT(FLAGS))
		check("flags", or_unknown(p->flags, SL_FLAGS_NONE), f->flags);
	if (want & SL_WANT(DSCP))
		check("dscp", or_unknown(p->dscp, SL_DSCP_NONE), f->dscp);
	if (want & SL_WANT(LENGTH))
		check("length", or_unknown((int)p->length, SL_LENGTH_MAX + 1),
		      f->length < SL_LENGTH_MAX ? f->length : SL_LENGTH_MAX);
	if (!(want & (SL_WANT(MAC_SRC) | SL_WANT(MAC_DST))))
		return;
	check("has_macs", p->has_macs, f->macs);
	if (!f->macs)
		return;
	check_mac("mac src", p->mac_src, f->mac_src);
	check_mac("mac dst", p->mac_dst, f->mac_dst);
}

static void check_facts(const struct sl_packet *p, const struct facts *f)
{
	check("anomaly", p->anomaly, f->anomaly);
	check("ethertype", p->ethertype,
	      f->ethertype == UNKNOWN ? SL_FIELD_VALUES : f->ethertype);
	check("vlan", or_unknown(p->vlan, SL_VLAN_NONE), f->vlan);
	check("inner vlan", or_unknown(p->inner_vlan, SL_VLAN_NONE),
	      f->inner_vlan);
	check("family", p->family,
	      f->family == 4 ? SL_FAMILY_IP4 :
	      f->family == 6 ? SL_FAMILY_IP6 :
			       SL_FAMILY_NONE);
	check_address("src", p->src, f->src);
	check_address("dst", p->dst, f->dst);
	check("proto", or_unknown((int)p->proto, SL_PROTO_NONE), f->proto);
	check("fragment", p->fragment,
	      f->fragment == FACT_WHOLE ? SL_FRAGMENT_NO :
	      f->fragment == FACT_FIRST ? SL_FRAGMENT_FIRST :
	      f->fragment == FACT_LATER ? SL_FRAGMENT_LATER :
					  SL_FRAGMENT_NONE);
	check("has_ports", p->has_ports, f->dport != UNKNOWN);
	check("has_icmp", p->has_icmp, f->icmp_type != UNKNOWN);
	if (p->has_ports) {
		check("sport", p->sport, f->sport);
		check("dport", p->dport, f->dport);
	}
	if (p->has_icmp) {
		check("icmp type", p->icmp_type, f->icmp_type);
		check("icmp code", p->icmp_code, f->icmp_code);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t bytes = size - HEAD_BYTES, linear;
	struct sl_cursor cursor = { .ctx = NULL };
	struct sl_packet packet;
	struct facts facts;
	uint8_t *frame;
	__u32 want = 0;

	if (size < HEAD_BYTES)
		return 0;
	linear = bytes - (data[0] | (size_t)data[1] << 8) % (bytes + 1);
	for (size_t i = 0; i < sizeof(optional) / sizeof(optional[0]); i++)
		if (data[2] & 1u << i)
			want |= optional[i];
	frame = malloc(linear + !linear);
	if (!frame)
		abort();
	memcpy(frame, data + HEAD_BYTES, linear);
	cursor.data = cursor.pos = frame;
	cursor.end = frame + linear;
	cursor.left = (__u32)bytes;
	sl_parse(&cursor, &packet, want);
	reference_parse(data + HEAD_BYTES, bytes, linear, &facts);
	check_facts(&packet, &facts);
	check_wanted(&packet, &facts, want);
	free(frame);
	return 0;
}
