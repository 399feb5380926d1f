/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A frame in a few words for people: "udp 192.0.2.1:53 > 198.51.100.1:1024".
 * For a full decoding there are pcapng and its readers.
 */
#ifndef SLUICE_SUMMARY_H
#define SLUICE_SUMMARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longest: two IPv6 addresses with ports, two tags, a protocol. */
#define SL_SUMMARY_BYTES 160

/* From the first `bytes` of an Ethernet frame; any bytes will do. */
void sl_summary_write(const uint8_t *frame, size_t bytes,
		      char text[SL_SUMMARY_BYTES]);

#define SL_SUMMARY_TIME 40

/* Nanoseconds since 1970 as "2026-01-02T03:04:05.000000006Z". */
void sl_summary_time(uint64_t time_ns, char text[SL_SUMMARY_TIME]);

/* Room for the longest IPv6 address. */
#define SL_SUMMARY_SOURCE 46

/*
 * The source address of an IP packet as text. False: the frame is none, or is cut
 * off before it.
 */
bool sl_summary_source(const uint8_t *frame, size_t bytes,
		       char text[SL_SUMMARY_SOURCE]);

#endif /* SLUICE_SUMMARY_H */
