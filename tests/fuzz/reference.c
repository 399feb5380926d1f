// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* The numbers in comments are the points of docs/packet-semantics.md. */
#include "reference.h"

#include <string.h>

#include "sluice/abi.h"

struct frame {
	const uint8_t *data;
	size_t linear;
	size_t end; /* of the packet: of the frame, then what IP says */
};

/* Can n bytes at `at` be looked at? */
static bool there(const struct frame *f, size_t at, size_t n)
{
	return at + n <= f->end && at + n <= f->linear;
}

static int get16(const struct frame *f, size_t at)
{
	return f->data[at] * 256 + f->data[at + 1];
}

/* 10 */
static void layer4(const struct frame *f, size_t at, struct facts *facts)
{
	int proto = facts->proto;

	if (facts->fragment == FACT_LATER)
		return;
	if (proto == 6 || proto == 17 || proto == 132) {
		if (!there(f, at, 4)) {
			facts->anomaly = SL_REASON_TRUNCATED;
			return;
		}
		facts->sport = get16(f, at);
		facts->dport = get16(f, at + 2);
		if (proto == 6 && there(f, at, 14))
			facts->flags = f->data[at + 13];
	}
	if ((proto == 1 && facts->family == 4) ||
	    (proto == 58 && facts->family == 6)) {
		if (!there(f, at, 2)) {
			facts->anomaly = SL_REASON_TRUNCATED;
			return;
		}
		facts->icmp_type = f->data[at];
		facts->icmp_code = f->data[at + 1];
	}
}

/* 4 to 6 */
static void ip4(struct frame *f, size_t at, struct facts *facts)
{
	size_t header, total;
	int fragment;

	if (!there(f, at, 20)) {
		facts->anomaly = SL_REASON_TRUNCATED;
		return;
	}
	header = 4 * (f->data[at] % 16u);
	total = (size_t)get16(f, at + 2);
	if (f->data[at] / 16 != 4 || header < 20 || total < header) {
		facts->anomaly = SL_REASON_MALFORMED;
		return;
	}
	if (at + total > f->end) {
		facts->anomaly = SL_REASON_TRUNCATED;
		return;
	}
	facts->family = 4;
	memcpy(facts->src, f->data + at + 12, 4);
	memcpy(facts->dst, f->data + at + 16, 4);
	facts->dscp = f->data[at + 1] / 4;
	facts->length = (int)total;
	facts->proto = f->data[at + 9];
	fragment = get16(f, at + 6);
	if (fragment % 0x2000)
		facts->fragment = FACT_LATER;
	else
		facts->fragment = fragment & 0x2000 ? FACT_FIRST : FACT_WHOLE;
	f->end = at + total;
	layer4(f, at + header, facts);
}

/* The bytes of the extension header at `at`; 0 when `kind` is none. */
static size_t extension(const struct frame *f, size_t at, int kind)
{
	switch (kind) {
	case 0:
	case 43:
	case 60:
		return 8 * (f->data[at + 1] + 1u);
	case 44:
		return 8;
	case 51:
		return 4 * (f->data[at + 1] + 2u);
	default:
		return 0;
	}
}

static bool is_extension(int kind)
{
	return kind == 0 || kind == 43 || kind == 44 || kind == 51 ||
	       kind == 60;
}

/* 8 and 9: where layer 4 begins; 0 when it is not reached. */
static size_t walk(const struct frame *f, size_t at, int next,
		   struct facts *facts)
{
	int fragment = FACT_WHOLE;

	for (int count = 0; is_extension(next); count++) {
		int kind = next;

		if (count == 8) {
			facts->anomaly = SL_REASON_EXT_BOUND;
			return 0;
		}
		if (!there(f, at, 8) || at + extension(f, at, kind) > f->end) {
			facts->anomaly = SL_REASON_TRUNCATED;
			return 0;
		}
		next = f->data[at];
		if (kind == 44) {
			int field = get16(f, at + 2);

			fragment = field & 1 ? FACT_FIRST : FACT_WHOLE;
			if (field / 8) {
				fragment = FACT_LATER;
				break;
			}
		}
		at += extension(f, at, kind);
	}
	facts->proto = next;
	facts->fragment = fragment;
	return at;
}

/* 7 to 9 */
static void ip6(struct frame *f, size_t at, struct facts *facts)
{
	size_t total, above;

	if (!there(f, at, 40)) {
		facts->anomaly = SL_REASON_TRUNCATED;
		return;
	}
	if (f->data[at] / 16 != 6) {
		facts->anomaly = SL_REASON_MALFORMED;
		return;
	}
	total = 40 + (size_t)get16(f, at + 4);
	if (at + total > f->end) {
		facts->anomaly = SL_REASON_TRUNCATED;
		return;
	}
	facts->family = 6;
	memcpy(facts->src, f->data + at + 8, 16);
	memcpy(facts->dst, f->data + at + 24, 16);
	/* The traffic class lies across the first two bytes; DSCP is its top. */
	facts->dscp = f->data[at] % 16 * 4 + f->data[at + 1] / 64;
	facts->length = (int)total;
	f->end = at + total;
	above = walk(f, at + 40, f->data[at + 6], facts);
	if (above)
		layer4(f, above, facts);
}

/* 1 to 3: where layer 3 begins; 0 when it is not reached. */
static size_t layer2(const struct frame *f, struct facts *facts)
{
	size_t at = 14;

	if (!there(f, 0, 14)) {
		facts->anomaly = SL_REASON_TRUNCATED;
		return 0;
	}
	facts->macs = true;
	memcpy(facts->mac_dst, f->data, 6);
	memcpy(facts->mac_src, f->data + 6, 6);
	facts->ethertype = get16(f, 12);
	for (int tag = 1;
	     facts->ethertype == 0x8100 || facts->ethertype == 0x88a8; tag++) {
		if (tag == 3) {
			facts->anomaly = SL_REASON_VLAN_BOUND;
			return 0;
		}
		if (!there(f, at, 4)) {
			facts->anomaly = SL_REASON_TRUNCATED;
			return 0;
		}
		if (tag == 1)
			facts->vlan = get16(f, at) % 4096;
		else
			facts->inner_vlan = get16(f, at) % 4096;
		facts->ethertype = get16(f, at + 2);
		at += 4;
	}
	return at;
}

void reference_parse(const uint8_t *frame, size_t bytes, size_t linear,
		     struct facts *facts)
{
	struct frame f = { .data = frame, .linear = linear, .end = bytes };
	size_t at;

	*facts = (struct facts){
		.anomaly = SL_REASON_DEFAULT,
		.ethertype = -1,
		.vlan = -1,
		.inner_vlan = -1,
		.family = -1,
		.dscp = -1,
		.length = -1,
		.proto = -1,
		.fragment = -1,
		.sport = -1,
		.dport = -1,
		.flags = -1,
		.icmp_type = -1,
		.icmp_code = -1,
	};
	at = layer2(&f, facts);
	if (at && facts->ethertype == 0x0800)
		ip4(&f, at, facts);
	else if (at && facts->ethertype == 0x86dd)
		ip6(&f, at, facts);
}
