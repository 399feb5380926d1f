// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the filter tells of a packet, and the rewrite that follows from it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "afxdp-app/forwarder.h"
#include "sluice/meta.h"
#include "xdp/hop.h"

#define FRAME 7u /* of the bench's memory */
#define BYTES 60u

struct bench {
	_Alignas(SL_FRAME_BYTES) uint8_t memory[16][SL_FRAME_BYTES];
	struct sl_fwd_port ports[2], *out[2];
	struct sl_fwd_iface ifaces[2];
	struct sl_fwd_used used;
	struct sl_fwd_route route;
	struct sl_fwd_burst burst;
};

static struct bench bench;

static uint16_t checksum(const uint8_t *header)
{
	uint32_t sum = 0;

	for (int i = 0; i < SL_IP4_BYTES; i += 2)
		if (i != SL_IP4_CHECKSUM)
			sum += (uint32_t)header[i] << 8 | header[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void checksum_set(uint8_t *header)
{
	uint16_t sum = checksum(header);

	header[SL_IP4_CHECKSUM] = (uint8_t)(sum >> 8);
	header[SL_IP4_CHECKSUM + 1] = (uint8_t)sum;
}

static void ip4_make(uint8_t *header, uint32_t id, uint8_t ttl)
{
	memset(header, 0, SL_IP4_BYTES);
	header[0] = 0x45;
	header[3] = BYTES - SL_ETH_BYTES;
	header[4] = (uint8_t)(id >> 8);
	header[5] = (uint8_t)id;
	header[SL_IP4_TTL] = ttl;
	header[9] = SL_IP_UDP;
	memcpy(header + 12, "\x0a\0\0\1\xc0\0\2\1", 8);
	checksum_set(header);
}

/* The identification takes the sum through all of its values. */
static void ttl_and_checksum(void **state)
{
	static const uint8_t ttls[] = { 2, 3, 64, 128, 254, 255 };
	uint8_t header[SL_IP4_BYTES];

	(void)state;
	for (size_t t = 0; t < sizeof(ttls); t++)
		for (uint32_t id = 0; id < 65536; id++) {
			ip4_make(header, id, ttls[t]);
			sl_hop_ip4(header);
			assert_int_equal(header[SL_IP4_TTL], ttls[t] - 1);
			assert_int_equal(header[SL_IP4_CHECKSUM] << 8 |
						 header[SL_IP4_CHECKSUM + 1],
					 checksum(header));
		}
}

/* A burst of one packet, whose data begins at `offset` of its frame. */
static struct sl_fwd_packet *packet_make(uint32_t offset)
{
	struct sl_fwd_packet *packet = &bench.burst.packet[0];

	sl_fwd_burst_init(&bench.burst, &bench.ports[0]);
	bench.burst.n = 1;
	bench.burst.buf[0] =
		(struct xdp_desc){ .addr = FRAME * SL_FRAME_BYTES + offset,
				   .len = BYTES };
	*packet = (struct sl_fwd_packet){ .data = &bench.memory[FRAME][offset],
					  .out = &bench.ports[0],
					  .head_bytes = BYTES,
					  .len = BYTES,
					  .rule = SL_FWD_RULE_NONE,
					  .n_bufs = 1 };
	memset(packet->data, 0, BYTES);
	return packet;
}

static struct sl_meta meta_of(uint8_t flags, uint32_t ifindex)
{
	return (struct sl_meta){ .magic = SL_META_MAGIC,
				 .generation = 3,
				 .slot = 12,
				 .ifindex = ifindex,
				 .l3 = SL_ETH_BYTES,
				 .flags = flags,
				 .mac_dst = { 2, 0, 0, 0, 0, 1 },
				 .mac_src = { 2, 0, 0, 0, 0, 2 } };
}

static void meta_put(const struct sl_fwd_packet *packet,
		     const struct sl_meta *meta)
{
	memcpy(packet->data - sizeof(*meta), meta, sizeof(*meta));
}

static void learns_once(void **state)
{
	const struct sl_meta meta = meta_of(SL_META_IP4, 0);
	struct sl_fwd_packet *packet = packet_make(SL_BURST_HEADROOM);

	(void)state;
	meta_put(packet, &meta);
	sl_fwd_burst_learn(&bench.burst);
	assert_int_equal(packet->rule, 12);
	assert_int_equal(packet->flags, SL_META_IP4);
	/* The next packet in this frame, of which the filter tells nothing. */
	packet = packet_make(SL_BURST_HEADROOM);
	sl_fwd_burst_learn(&bench.burst);
	assert_int_equal(packet->rule, SL_FWD_RULE_NONE);
	assert_int_equal(packet->flags, 0);
}

/* What stands before the frame is another's. */
static void learns_from_its_frame_only(void **state)
{
	const struct sl_meta meta = meta_of(SL_META_IP4, 0);
	struct sl_fwd_packet *packet = packet_make(sizeof(meta) - 1);

	(void)state;
	meta_put(packet, &meta);
	sl_fwd_burst_learn(&bench.burst);
	assert_int_equal(packet->rule, SL_FWD_RULE_NONE);
	packet = packet_make(sizeof(meta));
	meta_put(packet, &meta);
	sl_fwd_burst_learn(&bench.burst);
	assert_int_equal(packet->rule, 12);
}

static struct sl_fwd_packet *route_one(const struct sl_meta *meta,
				       uint32_t head_bytes)
{
	struct sl_fwd_packet *packet = packet_make(SL_BURST_HEADROOM);

	ip4_make(packet->data + SL_ETH_BYTES, 1, 64);
	packet->head_bytes = head_bytes;
	if (meta)
		meta_put(packet, meta);
	sl_fwd_burst_learn(&bench.burst);
	sl_fwd_route_burst(&bench.route, &bench.burst);
	return packet;
}

static void routes(void **state)
{
	struct sl_meta meta = meta_of(SL_META_IP4 | SL_META_ROUTE, 31);
	struct sl_fwd_packet *packet = route_one(&meta, BYTES);
	uint32_t noted = 0;

	(void)state;
	assert_int_equal(packet->drop, SL_FWD_KEEP);
	assert_ptr_equal(packet->out, &bench.ports[1]);
	assert_memory_equal(packet->data, "\2\0\0\0\0\1\2\0\0\0\0\2", 12);
	assert_int_equal(packet->data[SL_ETH_BYTES + SL_IP4_TTL], 63);
	for (uint32_t i = 0; i < SL_FWD_USED; i++)
		if (bench.used.entry[i]) {
			assert_true(bench.used.entry[i] ==
				    (31ull << 48 | 0x020000000001ull));
			noted++;
		}
	assert_int_equal(noted, 1);
	meta = meta_of(SL_META_IP6 | SL_META_ROUTE, 30);
	packet = route_one(&meta, BYTES);
	assert_ptr_equal(packet->out, &bench.ports[0]);
	assert_int_equal(packet->data[SL_ETH_BYTES + SL_IP6_HOP_LIMIT], 0xff);
}

/* Each is dropped as it came: no answer, an interface without a port, a header cut off. */
static void refuses(void **state)
{
	const struct sl_meta plain = meta_of(SL_META_IP4, 31);
	const struct sl_meta away = meta_of(SL_META_IP4 | SL_META_ROUTE, 99);
	const struct sl_meta good = meta_of(SL_META_IP4 | SL_META_ROUTE, 31);
	const struct sl_meta six = meta_of(SL_META_IP6 | SL_META_ROUTE, 31);
	const struct {
		const struct sl_meta *meta;
		uint32_t head_bytes;
	} cases[] = { { NULL, BYTES },
		      { &plain, BYTES },
		      { &away, BYTES },
		      { &good, SL_ETH_BYTES + SL_IP4_BYTES - 1 },
		      { &six, SL_ETH_BYTES + SL_IP6_BYTES - 1 } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sl_fwd_packet *packet =
			route_one(cases[i].meta, cases[i].head_bytes);

		assert_int_equal(packet->drop, SL_FWD_DROP_NO_ROUTE);
		assert_ptr_equal(packet->out, &bench.ports[0]);
		assert_int_equal(packet->data[0], 0);
		assert_int_equal(packet->data[SL_ETH_BYTES + SL_IP4_TTL], 64);
	}
}

static int bench_make(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		bench.ifaces[i].ifindex = 30 + i;
		bench.out[i] = &bench.ports[i];
	}
	bench.route = (struct sl_fwd_route){ .n = 2,
					     .ifaces = bench.ifaces,
					     .out = bench.out,
					     .used = &bench.used };
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ttl_and_checksum),
		cmocka_unit_test(learns_once),
		cmocka_unit_test(learns_from_its_frame_only),
		cmocka_unit_test(routes),
		cmocka_unit_test(refuses),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("fwd_route", tests, bench_make,
					   NULL);
}
