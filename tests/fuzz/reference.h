/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * docs/packet-semantics.md, understood a second time and as plainly as it can
 * be: what xdp/packet.h is compared with. It shares no code with it.
 */
#ifndef SLUICE_FUZZ_REFERENCE_H
#define SLUICE_FUZZ_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FACT_WHOLE, FACT_FIRST, FACT_LATER };

/* What is known of a packet. A number that is not known is -1. */
struct facts {
	int anomaly; /* enum sl_reason; SL_REASON_DEFAULT for none */
	bool macs;   /* the two below are known */
	uint8_t mac_dst[6], mac_src[6];
	int ethertype, vlan, inner_vlan;
	int family;		  /* 4, 6 or -1 */
	uint8_t src[16], dst[16]; /* IPv4 in the first four; else 0 */
	int dscp, length;
	int proto;
	int fragment; /* FACT_* */
	int sport, dport;
	int flags;
	int icmp_type, icmp_code;
};

/*
 * Reads a frame of `bytes` bytes, of which the first `linear` can be looked at;
 * a header that lies beyond them is cut off like one beyond the frame.
 */
void reference_parse(const uint8_t *frame, size_t bytes, size_t linear,
		     struct facts *facts);

#endif /* SLUICE_FUZZ_REFERENCE_H */
