/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Writing sFlow version 5 (sflow.org/sflow_version_5.txt): datagrams of samples
 * in XDR. No system call; any thread that has the datagram to itself.
 */
#ifndef SLUICE_SFLOW_H
#define SLUICE_SFLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sluice/abi.h"

#define SL_SFLOW_PORT "6343"

/* Of a datagram: with IPv6 and UDP in 1,500, and 52 left for a tunnel. */
#define SL_SFLOW_BYTES 1400

struct sl_sflow_agent {
	uint8_t family; /* 4 or 6 */
	uint8_t addr[16];
	uint32_t sub_agent; /* tells apart who numbers datagrams as one agent */
};

/* A datagram in the making; begin it with sl_sflow_begin(). */
struct sl_sflow {
	uint8_t bytes[SL_SFLOW_BYTES];
	size_t used;
	uint32_t n_samples;
	bool full; /* what is being written does not fit */
	bool six;  /* the agent's address */
};

/* A flow_sample: one packet. */
struct sl_sflow_packet {
	uint32_t sequence; /* among those of this interface */
	uint32_t input;	   /* ifindex; the data source, too */
	uint32_t output;   /* ifindex, or 0: not known */
	bool dropped;	   /* then for... */
	uint32_t reason; /* ...an SL_SFLOW_* reason, and `output` is not used */
	uint32_t rate;	 /* the packet stands for so many */
	uint32_t pool;	 /* packets there were to choose from */
	uint32_t lost;	 /* samples that were lost for want of room */
	const uint8_t *head;  /* from the destination MAC on */
	uint32_t head_bytes;  /* up to SL_LOG_HEAD */
	uint32_t frame_bytes; /* of the whole frame, without FCS */
	const char *rule;     /* that decided, or NULL */
};

/* Why a packet was dropped (section 5, `interface`, and sflow_drops.txt). */
enum {
	SL_SFLOW_UNKNOWN = 256,
	SL_SFLOW_ACL = 258,
	SL_SFLOW_TRAFFIC_SHAPING = 261,
	SL_SFLOW_IP_HEADER_CORRUPTED = 275,
	SL_SFLOW_VLAN_PARSING = 309,
	SL_SFLOW_PKT_TOO_SMALL = 324,
	SL_SFLOW_IPV6_BAD_EXTHDR = 357,
};

/* The one for a reason of the filter's. */
uint32_t sl_sflow_reason(enum sl_reason reason);

#define SL_SFLOW_NOT_COUNTED UINT32_MAX /* a counter that there is not */

/* A counters_sample with the if_counters (RFC 2863) of one interface. */
struct sl_sflow_counters {
	uint32_t sequence; /* among those of this interface */
	uint32_t ifindex;
	uint64_t speed_bps; /* 0: not known */
	uint32_t duplex;    /* 0 not known, 1 full, 2 half */
	bool admin_up, oper_up, promiscuous;
	uint64_t in_bytes, out_bytes;
	uint32_t in_unicast, in_multicast, in_broadcast;
	uint32_t in_discards, in_errors, in_unknown;
	uint32_t out_unicast, out_multicast, out_broadcast;
	uint32_t out_discards, out_errors;
};

/* Begins an empty datagram. */
void sl_sflow_begin(struct sl_sflow *datagram,
		    const struct sl_sflow_agent *agent);

/*
 * Each adds a sample: 0, or -ENOSPC and the datagram is unchanged. An empty
 * datagram has room for any.
 */
int sl_sflow_add_packet(struct sl_sflow *datagram,
			const struct sl_sflow_packet *packet);
int sl_sflow_add_counters(struct sl_sflow *datagram,
			  const struct sl_sflow_counters *counters);

/*
 * Writes what is known last, and the first `used` bytes are ready to be sent.
 * uptime_ms: of what numbers the datagrams; that it falls tells a collector
 * that the numbers begin anew.
 */
void sl_sflow_end(struct sl_sflow *datagram, uint32_t sequence,
		  uint32_t uptime_ms);

#endif /* SLUICE_SFLOW_H */
