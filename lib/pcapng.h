/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Writing pcapng (draft-ietf-opsawg-pcapng), which libpcap can only read: one
 * section in this machine's byte order, Ethernet interfaces, nanoseconds.
 */
#ifndef SLUICE_PCAPNG_H
#define SLUICE_PCAPNG_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct sl_pcapng_packet {
	uint32_t interface; /* from 0, in the order of their blocks */
	uint32_t queue;	    /* RX queue */
	uint64_t time_ns;   /* since 1970 */
	const void *bytes;
	uint32_t captured_bytes;
	uint32_t frame_bytes; /* of the whole frame, without FCS */
	uint64_t xdp_action;  /* enum xdp_action, or SL_PCAPNG_NO_ACTION */
	const char *comment;  /* cut off after SL_PCAPNG_COMMENT bytes */
};

#define SL_PCAPNG_NO_ACTION UINT64_MAX /* it is not known */
#define SL_PCAPNG_COMMENT 1024

/*
 * The file's beginning, then each interface, then packets that came in on
 * them. Each writes one whole block: 0, or -errno (the file may end within it).
 */
int sl_pcapng_section(FILE *out);
int sl_pcapng_interface(FILE *out, const char *name, uint32_t snap_bytes);
int sl_pcapng_packet(FILE *out, const struct sl_pcapng_packet *packet);

/* Of enum sl_verdict; SL_PCAPNG_NO_ACTION for anything else. */
uint64_t sl_pcapng_action(unsigned verdict);

#endif /* SLUICE_PCAPNG_H */
