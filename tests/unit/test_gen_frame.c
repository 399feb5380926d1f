// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The generator's frames: the constants from which the program computes each
 * packet's checksums must give what summing the finished packet gives.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>

/* The generator is no library: its pure parts are built into the test. */
#include "bench/gen/draw.h"
#include "bench/gen/frame.c"
#include "bench/gen/range.c"

static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 7 };

/* A checksum of its own: big-endian words, carried as it goes (RFC 1071). */
static uint32_t add(uint32_t sum, const uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

static struct options describe(const char *src, const char *dst, bool tcp,
			       bool vlan, uint32_t size)
{
	struct options o = {
		.tcp = tcp, .vlan_given = vlan, .vlan = 5, .size_bytes = size
	};
	const char *error;

	assert_int_equal(sl_gen_range_parse_address(src, &o.src, &error), 0);
	assert_int_equal(sl_gen_range_parse_address(dst, &o.dst, &error), 0);
	o.sport = (struct port_range){ .first = 1000, .last = 5000 };
	o.dport = (struct port_range){ .first = 53 };
	return o;
}

/* What the program does to a frame, with the n-th value of each range. */
static void finish(struct frame *f, uint64_t n)
{
	const struct gen_config *c = &f->config;
	uint8_t *l3 = f->bytes + c->l3, *l4 = f->bytes + c->l4;
	uint32_t addresses = 0, ports = 0;
	uint16_t port, check;

	memcpy(f->bytes, c->head, c->head_bytes);
	for (int i = GEN_SRC; i <= GEN_DST; i++) {
		uint64_t value =
			c->range[i].base + gen_wrap(n, c->range[i].last);
		uint32_t four = htonl((uint32_t)value);
		uint8_t low[8];

		if (!c->range[i].last)
			continue;
		for (int b = 0; b < 8; b++)
			low[b] = (uint8_t)(value >> (56 - 8 * b));
		if (c->ip6)
			memcpy(l3 + (i == GEN_SRC ? 16 : 32), low, 8);
		else
			memcpy(l3 + (i == GEN_SRC ? 12 : 16), &four, 4);
		addresses += c->ip6 ? gen_sum_bytes(low, 8) : gen_sum32(four);
	}
	for (int i = GEN_SPORT; i <= GEN_DPORT; i++) {
		if (!c->range[i].last)
			continue;
		port = htons((uint16_t)(c->range[i].base +
					gen_wrap(n, c->range[i].last)));
		memcpy(l4 + (i == GEN_SPORT ? 0 : 2), &port, 2);
		ports += gen_sum16(port);
	}
	if (!c->ip6) {
		check = gen_sum_fold(c->ip_sum + addresses);
		memcpy(l3 + 10, &check, 2);
	}
	check = c->udp ? gen_sum_fold_udp(c->l4_sum + addresses + ports) :
			 gen_sum_fold(c->l4_sum + addresses + ports);
	memcpy(f->bytes + c->l4_check, &check, 2);
}

static void check_frame(const struct frame *f, bool tcp)
{
	const uint8_t *l3 = f->bytes + f->config.l3,
		      *l4 = f->bytes + f->config.l4;
	uint32_t l4_bytes = f->length - f->config.l4, sum;

	if (f->config.ip6) {
		assert_int_equal(l3[4] << 8 | l3[5], l4_bytes);
		sum = add(0, l3 + 8, 32);
	} else {
		assert_int_equal(add(0, l3, 20), 0xffff);
		assert_int_equal(l3[2] << 8 | l3[3], f->length - f->config.l3);
		sum = add(0, l3 + 12, 8);
	}
	sum += (tcp ? 6 : 17) + l4_bytes;
	assert_int_equal(add(sum, l4, l4_bytes), 0xffff);
	if (!tcp) {
		assert_int_equal(l4[4] << 8 | l4[5], l4_bytes);
		assert_true(l4[6] || l4[7]);
	}
}

static void test_sums(void **state)
{
	static const char *const pairs[][2] = {
		{ "10.0.0.1", "10.0.0.2" },
		{ "10.0.0.0/8", "255.255.255.0/24" },
		{ "2001:2::1", "2001:2::2" },
		{ "2001:2::/64",
		  "2001:2:ffff:ffff:ffff:ffff::-2001:2:ffff:ffff:ffff:ffff::99" },
	};
	static const uint32_t sizes[] = { 0, 79, 1514, 3408 };

	(void)state;
	for (int i = 0; i < 4 * 4 * 4; i++) {
		bool tcp = i & 1, vlan = i & 2;
		const char *const *pair = pairs[i / 4 % 4];
		struct options o =
			describe(pair[0], pair[1], tcp, vlan, sizes[i / 16]);
		struct frame f;

		assert_int_equal(sl_gen_frame_init(&f, &o, mac), 0);
		for (uint64_t n = 0; n < 70000; n = n * 2 + 1) {
			finish(&f, n);
			check_frame(&f, tcp);
		}
		sl_gen_frame_fini(&f);
	}
}

static void test_shape(void **state)
{
	struct options o = describe("10.0.0.1", "10.0.0.2", false, true, 0);
	struct frame f;

	(void)state;
	assert_int_equal(sl_gen_frame_shortest(&o), 60);
	assert_int_equal(sl_gen_frame_init(&f, &o, mac), 0);
	finish(&f, 0);
	assert_int_equal(f.length, 60);
	assert_memory_equal(f.bytes + 6, mac, 6);
	assert_memory_equal(f.bytes + 12, "\x81\x00\x00\x05\x08\x00", 6);
	sl_gen_frame_fini(&f);
	o = describe("2001:2::1", "2001:2::2", true, true, 0);
	assert_int_equal(sl_gen_frame_shortest(&o), GEN_HEAD_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_shape),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("gen_frame", tests, NULL, NULL);
}
