/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A frame in a few words for people: "udp 192.0.2.1:53 > 198.51.100.1:1024".
 * For a full decoding there are pcapng and its readers.
 */
#ifndef SLUICE_SUMMARY_H
#define SLUICE_SUMMARY_H

#include <stddef.h>
#include <stdint.h>

/* Longest: two IPv6 addresses with ports, two tags, a protocol. */
#define SL_SUMMARY_BYTES 160

/* From the first `bytes` of an Ethernet frame; any bytes will do. */
void sl_summary_write(const uint8_t *frame, size_t bytes,
		      char text[SL_SUMMARY_BYTES]);

#endif /* SLUICE_SUMMARY_H */
