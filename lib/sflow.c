// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * A datagram is a header and samples; a sample is its format, its length and a
 * body, in which records are laid out likewise:
 *
 *   5, agent address, sub-agent, sequence, uptime, number of samples
 *     flow_sample: sequence, source, rate, pool, drops, input, output, 2
 *       sampled_header: the packet's beginning
 *       extended_acl: the rule that decided
 *     counters_sample: sequence, source, 1
 *       if_counters
 *
 * Everything is in words of 4 bytes, big endian. A length is written when what
 * it is of has been: open_part() leaves room for it, close_part() fills it in.
 *
 * Why not discarded_packet (sample format 5 of sflow_drops.txt): a flow_sample
 * says in `output` that a packet was dropped and why, since 2004, so every
 * collector reads it. Who also knew the other would count the packet twice, and
 * who does not know it may skip the rest of the datagram (pmacct 1.7.7 does).
 */
#include "sflow.h"

#include <errno.h>
#include <string.h>

#define VERSION 5

#define FLOW_SAMPLE 1u
#define COUNTERS_SAMPLE 2u
#define FLOW_SAMPLE_EXPANDED 3u
#define COUNTERS_SAMPLE_EXPANDED 4u
#define IF_COUNTERS 1u
#define SAMPLED_HEADER 1u
#define EXTENDED_ACL 1037u

/* What fits beside the type of a source, or the format of an interface, of which
 * the last is no interface. */
#define SOURCE_INDEX_MAX 0x00ffffffu
#define INTERFACE_INDEX_MAX 0x3ffffffeu

#define INTERFACE_INDEX 0u /* formats of an interface */
#define INTERFACE_DISCARDED 1u

#define HEADER_ETHERNET 1u
#define FCS_BYTES 4u /* of a frame's length, and stripped from its header */
#define ACL_INGRESS 1u
#define ETHERNET_CSMACD 6u /* IANAifType */

static void put_bytes(struct sl_sflow *d, const void *bytes, size_t n)
{
	static const uint8_t zeroes[3];
	size_t pad = -n & 3;

	if (d->full || sizeof(d->bytes) - d->used < n + pad) {
		d->full = true;
		return;
	}
	memcpy(d->bytes + d->used, bytes, n);
	memcpy(d->bytes + d->used + n, zeroes, pad);
	d->used += n + pad;
}

static void write32(uint8_t *to, uint32_t value)
{
	to[0] = (uint8_t)(value >> 24);
	to[1] = (uint8_t)(value >> 16);
	to[2] = (uint8_t)(value >> 8);
	to[3] = (uint8_t)value;
}

static void put32(struct sl_sflow *d, uint32_t value)
{
	uint8_t word[4];

	write32(word, value);
	put_bytes(d, word, sizeof(word));
}

static void put64(struct sl_sflow *d, uint64_t value)
{
	put32(d, (uint32_t)(value >> 32));
	put32(d, (uint32_t)value);
}

/* opaque<>, string<> */
static void put_counted(struct sl_sflow *d, const void *bytes, size_t n)
{
	put32(d, (uint32_t)n);
	put_bytes(d, bytes, n);
}

/* Begins a sample or record of sflow.org's; where its body begins. */
static size_t open_part(struct sl_sflow *d, uint32_t format)
{
	put32(d, format);
	put32(d, 0);
	return d->used;
}

static void close_part(struct sl_sflow *d, size_t body)
{
	if (!d->full)
		write32(d->bytes + body - 4, (uint32_t)(d->used - body));
}

/* Of what was begun at `start`: keeps it, or takes it back. */
static int settle(struct sl_sflow *d, size_t start)
{
	if (d->full) {
		d->full = false;
		d->used = start;
		return -ENOSPC;
	}
	d->n_samples++;
	return 0;
}

void sl_sflow_begin(struct sl_sflow *d, const struct sl_sflow_agent *agent)
{
	d->used = 0;
	d->n_samples = 0;
	d->full = false;
	d->six = agent->family == 6;
	put32(d, VERSION);
	put32(d, d->six ? 2 : 1);
	put_bytes(d, agent->addr, d->six ? 16 : 4);
	put32(d, agent->sub_agent);
	put32(d, 0); /* these three: sl_sflow_end() */
	put32(d, 0);
	put32(d, 0);
}

void sl_sflow_end(struct sl_sflow *d, uint32_t sequence, uint32_t uptime_ms)
{
	uint8_t *last = d->bytes + (d->six ? 28 : 16);

	write32(last, sequence);
	write32(last + 4, uptime_ms);
	write32(last + 8, d->n_samples);
}

uint32_t sl_sflow_reason(enum sl_reason reason)
{
	switch (reason) {
	case SL_REASON_RULE:
	case SL_REASON_DEFAULT:
		return SL_SFLOW_ACL;
	case SL_REASON_LIMITED:
		return SL_SFLOW_TRAFFIC_SHAPING;
	case SL_REASON_TRUNCATED:
		return SL_SFLOW_PKT_TOO_SMALL;
	case SL_REASON_MALFORMED:
		return SL_SFLOW_IP_HEADER_CORRUPTED;
	case SL_REASON_VLAN_BOUND:
		return SL_SFLOW_VLAN_PARSING;
	case SL_REASON_EXT_BOUND:
		return SL_SFLOW_IPV6_BAD_EXTHDR;
	default:
		return SL_SFLOW_UNKNOWN;
	}
}

static void put_interface(struct sl_sflow *d, bool expanded, uint32_t format,
			  uint32_t value)
{
	if (expanded) {
		put32(d, format);
		put32(d, value);
	} else {
		put32(d, format << 30 | value);
	}
}

/* The type of a source that is an interface is 0. */
static void put_source(struct sl_sflow *d, bool expanded, uint32_t ifindex)
{
	if (expanded)
		put32(d, 0);
	put32(d, ifindex);
}

static void put_header(struct sl_sflow *d, const struct sl_sflow_packet *p)
{
	size_t body = open_part(d, SAMPLED_HEADER);

	put32(d, HEADER_ETHERNET);
	put32(d, p->frame_bytes + FCS_BYTES);
	put32(d, FCS_BYTES);
	put_counted(d, p->head, p->head_bytes);
	close_part(d, body);
}

/* Rules have names, which stay what they are, and no number. */
static void put_rule(struct sl_sflow *d, const char *rule)
{
	size_t body = open_part(d, EXTENDED_ACL);

	put32(d, 0);
	put_counted(d, rule, strnlen(rule, SL_NAME_BYTES));
	put32(d, ACL_INGRESS);
	close_part(d, body);
}

int sl_sflow_add_packet(struct sl_sflow *d, const struct sl_sflow_packet *p)
{
	bool expanded = p->input > SOURCE_INDEX_MAX ||
			(!p->dropped && p->output > INTERFACE_INDEX_MAX);
	size_t start = d->used;
	size_t body =
		open_part(d, expanded ? FLOW_SAMPLE_EXPANDED : FLOW_SAMPLE);

	put32(d, p->sequence);
	put_source(d, expanded, p->input);
	put32(d, p->rate);
	put32(d, p->pool);
	put32(d, p->lost);
	put_interface(d, expanded, INTERFACE_INDEX, p->input);
	if (p->dropped)
		put_interface(d, expanded, INTERFACE_DISCARDED, p->reason);
	else
		put_interface(d, expanded, INTERFACE_INDEX, p->output);
	put32(d, p->rule ? 2 : 1);
	put_header(d, p);
	if (p->rule)
		put_rule(d, p->rule);
	close_part(d, body);
	return settle(d, start);
}

static void put_if_counters(struct sl_sflow *d,
			    const struct sl_sflow_counters *c)
{
	size_t body = open_part(d, IF_COUNTERS);

	put32(d, c->ifindex);
	put32(d, ETHERNET_CSMACD);
	put64(d, c->speed_bps);
	put32(d, c->duplex);
	put32(d, (uint32_t)c->admin_up | (uint32_t)c->oper_up << 1);
	put64(d, c->in_bytes);
	put32(d, c->in_unicast);
	put32(d, c->in_multicast);
	put32(d, c->in_broadcast);
	put32(d, c->in_discards);
	put32(d, c->in_errors);
	put32(d, c->in_unknown);
	put64(d, c->out_bytes);
	put32(d, c->out_unicast);
	put32(d, c->out_multicast);
	put32(d, c->out_broadcast);
	put32(d, c->out_discards);
	put32(d, c->out_errors);
	put32(d, c->promiscuous); /* as hsflowd does; RFC 2863 has 1 and 2 */
	close_part(d, body);
}

int sl_sflow_add_counters(struct sl_sflow *d, const struct sl_sflow_counters *c)
{
	bool expanded = c->ifindex > SOURCE_INDEX_MAX;
	size_t start = d->used;
	size_t body = open_part(d, expanded ? COUNTERS_SAMPLE_EXPANDED :
					      COUNTERS_SAMPLE);

	put32(d, c->sequence);
	put_source(d, expanded, c->ifindex);
	put32(d, 1);
	put_if_counters(d, c);
	close_part(d, body);
	return settle(d, start);
}
