// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * A block is its type, its length, a fixed part, data, options, and its length
 * again; data and options are padded to 32 bits each.
 */
#include "pcapng.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#include "sluice/abi.h"

#define BLOCK_SECTION 0x0a0d0d0au
#define BLOCK_INTERFACE 1u
#define BLOCK_PACKET 6u /* enhanced */

#define BYTE_ORDER_MAGIC 0x1a2b3c4du
#define LINKTYPE_ETHERNET 1

#define OPT_END 0
#define OPT_COMMENT 1
#define OPT_SECTION_APPLICATION 4
#define OPT_INTERFACE_NAME 2
#define OPT_INTERFACE_RESOLUTION 9
#define OPT_PACKET_FLAGS 2
#define OPT_PACKET_QUEUE 6
#define OPT_PACKET_VERDICT 7

#define FLAGS_INBOUND 1u
#define VERDICT_XDP 2 /* then enum xdp_action in 64 bits */
#define RESOLUTION_NS 9

struct options {
	uint8_t bytes[SL_PCAPNG_COMMENT + 128];
	size_t used;
};

static size_t padded(size_t bytes)
{
	return (bytes + 3) & ~(size_t)3;
}

/* Values are short but for the comment, which `options` has room for. */
static void put(struct options *o, uint16_t code, const void *value,
		size_t bytes)
{
	uint16_t head[2] = { code, (uint16_t)bytes };

	memcpy(o->bytes + o->used, head, sizeof(head));
	if (bytes)
		memcpy(o->bytes + o->used + sizeof(head), value, bytes);
	o->used += sizeof(head) + padded(bytes);
}

static int write_block(FILE *out, uint32_t type, const void *fixed,
		       size_t fixed_bytes, const void *data, size_t data_bytes,
		       const struct options *o)
{
	static const uint8_t zero[4];
	uint32_t total =
		(uint32_t)(12 + fixed_bytes + padded(data_bytes) + o->used);
	uint32_t head[2] = { type, total };

	fwrite(head, sizeof(head), 1, out);
	fwrite(fixed, fixed_bytes, 1, out);
	if (data_bytes)
		fwrite(data, data_bytes, 1, out);
	fwrite(zero, 1, padded(data_bytes) - data_bytes, out);
	fwrite(o->bytes, o->used, 1, out);
	fwrite(&total, sizeof(total), 1, out);
	return ferror(out) ? -EIO : 0;
}

int sl_pcapng_section(FILE *out)
{
	static const char application[] = "sluice";
	const struct {
		uint32_t magic;
		uint16_t major, minor;
		int64_t section_bytes; /* -1: not said */
	} fixed = { BYTE_ORDER_MAGIC, 1, 0, -1 };
	struct options o = { .used = 0 };

	put(&o, OPT_SECTION_APPLICATION, application, strlen(application));
	put(&o, OPT_END, NULL, 0);
	return write_block(out, BLOCK_SECTION, &fixed, sizeof(fixed), NULL, 0,
			   &o);
}

int sl_pcapng_interface(FILE *out, const char *name, uint32_t snap_bytes)
{
	const struct {
		uint16_t link_type, reserved;
		uint32_t snap_bytes;
	} fixed = { LINKTYPE_ETHERNET, 0, snap_bytes };
	const uint8_t resolution = RESOLUTION_NS;
	struct options o = { .used = 0 };

	put(&o, OPT_INTERFACE_NAME, name, strnlen(name, 64));
	put(&o, OPT_INTERFACE_RESOLUTION, &resolution, sizeof(resolution));
	put(&o, OPT_END, NULL, 0);
	return write_block(out, BLOCK_INTERFACE, &fixed, sizeof(fixed), NULL, 0,
			   &o);
}

int sl_pcapng_packet(FILE *out, const struct sl_pcapng_packet *packet)
{
	const struct {
		uint32_t interface, time_high, time_low;
		uint32_t captured_bytes, frame_bytes;
	} fixed = { packet->interface, (uint32_t)(packet->time_ns >> 32),
		    (uint32_t)packet->time_ns, packet->captured_bytes,
		    packet->frame_bytes };
	const uint32_t flags = FLAGS_INBOUND;
	uint8_t verdict[1 + sizeof(packet->xdp_action)] = { VERDICT_XDP };
	struct options o = { .used = 0 };

	memcpy(verdict + 1, &packet->xdp_action, sizeof(packet->xdp_action));
	put(&o, OPT_COMMENT, packet->comment,
	    strnlen(packet->comment, SL_PCAPNG_COMMENT));
	put(&o, OPT_PACKET_FLAGS, &flags, sizeof(flags));
	put(&o, OPT_PACKET_QUEUE, &packet->queue, sizeof(packet->queue));
	if (packet->xdp_action != SL_PCAPNG_NO_ACTION)
		put(&o, OPT_PACKET_VERDICT, verdict, sizeof(verdict));
	put(&o, OPT_END, NULL, 0);
	return write_block(out, BLOCK_PACKET, &fixed, sizeof(fixed),
			   packet->bytes, packet->captured_bytes, &o);
}

uint64_t sl_pcapng_action(unsigned verdict)
{
	static const uint64_t actions[SL_VERDICT_COUNT] = {
		[SL_VERDICT_PASS] = XDP_PASS,
		[SL_VERDICT_DROP] = XDP_DROP,
		[SL_VERDICT_BOUNCE] = XDP_TX,
		[SL_VERDICT_REDIRECT] = XDP_REDIRECT,
		[SL_VERDICT_FORWARD] = XDP_REDIRECT,
	};

	return verdict < SL_VERDICT_COUNT ? actions[verdict] :
					    SL_PCAPNG_NO_ACTION;
}
