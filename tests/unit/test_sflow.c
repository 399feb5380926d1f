// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * sFlow: datagrams against bytes computed by hand from the standard, their
 * bounds, what a sample stands for, and the socket to the collector.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/collector.h"
#include "lib/config.h"
#include "lib/error.h"
#include "lib/rulelist.h"
#include "lib/samples.h"
#include "lib/sampling.h"
#include "lib/sflow.h"

static const struct sl_sflow_agent agent4 = { .family = 4,
					      .addr = { 192, 0, 2, 1 },
					      .sub_agent = 3 };
static const struct sl_sflow_agent agent6 = {
	.family = 6, .addr = { 0x20, 1, 0x0d, 0xb8, [15] = 9 }, .sub_agent = 3
};

static const uint8_t head[SL_LOG_HEAD] = { 0xaa, 0xbb, 0xcc, 0xdd, 0xee };

static void is(const struct sl_sflow *d, const char *want, size_t bytes)
{
	assert_int_equal(d->used, bytes);
	assert_memory_equal(d->bytes, want, bytes);
}

#define IS(datagram, literal) is(datagram, literal, sizeof(literal) - 1)

#define AGENT4 "\0\0\0\5\0\0\0\1\xc0\0\2\1\0\0\0\3"
#define LAST(samples) "\0\0\1\2\0\1\x86\xa0\0\0\0" samples /* 258; 100,000 ms */

static void empty(void **state)
{
	struct sl_sflow d;

	(void)state;
	sl_sflow_begin(&d, &agent4);
	sl_sflow_end(&d, 258, 100000);
	IS(&d, AGENT4 LAST("\0"));
	sl_sflow_begin(&d, &agent6);
	sl_sflow_end(&d, 258, 100000);
	IS(&d, "\0\0\0\5\0\0\0\2\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x09"
	       "\0\0\0\3" LAST("\0"));
}

/* A drop by a rule: 5 bytes of a frame of 1,514, and the rule dns-a. */
static void dropped(void **state)
{
	const struct sl_sflow_packet packet = {
		.sequence = 7,
		.input = 2,
		.output = 9,
		.dropped = true,
		.reason = SL_SFLOW_ACL,
		.rate = 1000,
		.pool = 0x89abcdef,
		.lost = 1,
		.head = head,
		.head_bytes = 5,
		.frame_bytes = 1514,
		.rule = "dns-a",
	};
	struct sl_sflow d;

	(void)state;
	sl_sflow_begin(&d, &agent4);
	assert_int_equal(sl_sflow_add_packet(&d, &packet), 0);
	sl_sflow_end(&d, 258, 100000);
	IS(&d,
	   AGENT4 LAST(
		   "\1") "\0\0\0\1\0\0\0\x5c" /* flow_sample, 92 bytes */
			 "\0\0\0\7\0\0\0\2\0\0\3\xe8\x89\xab\xcd\xef\0\0\0\1"
			 "\0\0\0\2\x40\0\1\2" /* in; out: format 1, 258 */
			 "\0\0\0\2"
			 "\0\0\0\1\0\0\0\x18" /* sampled_header: 24 bytes */
			 "\0\0\0\1\0\0\5\xee\0\0\0\4\0\0\0\5\xaa\xbb\xcc\xdd\xee\0\0\0"
			 "\0\0\4\x0d\0\0\0\x14" /* extended_acl: 20 bytes */
			 "\0\0\0\0\0\0\0\5"
			 "dns-a\0\0\0\0\0\0\1");
}

/* Passed on, decided by no rule, and out of a device. */
static void passed(void **state)
{
	const struct sl_sflow_packet packet = {
		.sequence = 8,
		.input = 0x00ffffff,
		.output = 0x3ffffffe,
		.rate = 1,
		.pool = 5,
		.head = head,
		.head_bytes = 4,
		.frame_bytes = 4,
	};
	struct sl_sflow d;

	(void)state;
	sl_sflow_begin(&d, &agent4);
	assert_int_equal(sl_sflow_add_packet(&d, &packet), 0);
	sl_sflow_end(&d, 258, 100000);
	IS(&d,
	   AGENT4 LAST(
		   "\1") "\0\0\0\1\0\0\0\x3c"
			 "\0\0\0\x08\0\xff\xff\xff\0\0\0\1\0\0\0\5\0\0\0\0"
			 "\0\xff\xff\xff\x3f\xff\xff\xfe"
			 "\0\0\0\1"
			 "\0\0\0\1\0\0\0\x14"
			 "\0\0\0\1\0\0\0\x08\0\0\0\4\0\0\0\4\xaa\xbb\xcc\xdd");
}

/* An ifindex of more bits than there is room for. */
static void expanded(void **state)
{
	struct sl_sflow_packet packet = {
		.sequence = 1,
		.input = 0x01000000,
		.dropped = true,
		.reason = SL_SFLOW_TRAFFIC_SHAPING,
		.rate = 2,
		.head = head,
		.frame_bytes = 60,
	};
	struct sl_sflow d;

	(void)state;
	sl_sflow_begin(&d, &agent4);
	assert_int_equal(sl_sflow_add_packet(&d, &packet), 0);
	packet.input = 5;
	packet.dropped = false;
	packet.output = 0x3fffffff;
	assert_int_equal(sl_sflow_add_packet(&d, &packet), 0);
	sl_sflow_end(&d, 258, 100000);
	IS(&d,
	   AGENT4 LAST(
		   "\2") "\0\0\0\3\0\0\0\x44"
			 "\0\0\0\1\0\0\0\0\1\0\0\0\0\0\0\2\0\0\0\0\0\0\0\0"
			 "\0\0\0\0\1\0\0\0\0\0\0\1\0\0\1\5\0\0\0\1"
			 "\0\0\0\1\0\0\0\x10\0\0\0\1\0\0\0\x40\0\0\0\4\0\0\0\0"
			 "\0\0\0\3\0\0\0\x44"
			 "\0\0\0\1\0\0\0\0\0\0\0\5\0\0\0\2\0\0\0\0\0\0\0\0"
			 "\0\0\0\0\0\0\0\5\0\0\0\0\x3f\xff\xff\xff\0\0\0\1"
			 "\0\0\0\1\0\0\0\x10\0\0\0\1\0\0\0\x40\0\0\0\4\0\0\0\0");
}

static void counters(void **state)
{
	struct sl_sflow_counters c = {
		.sequence = 4,
		.ifindex = 2,
		.speed_bps = 10000000000u,
		.duplex = 1,
		.admin_up = true,
		.oper_up = true,
		.in_bytes = 0x100000002,
		.in_unicast = 3,
		.in_multicast = 4,
		.in_broadcast = SL_SFLOW_NOT_COUNTED,
		.in_discards = 6,
		.in_errors = 7,
		.in_unknown = SL_SFLOW_NOT_COUNTED,
		.out_bytes = 9,
		.out_unicast = 10,
		.out_multicast = 11,
		.out_broadcast = 12,
		.out_discards = 13,
		.out_errors = 14,
		.promiscuous = true,
	};
	struct sl_sflow d;
	size_t compact;

	(void)state;
	sl_sflow_begin(&d, &agent4);
	assert_int_equal(sl_sflow_add_counters(&d, &c), 0);
	sl_sflow_end(&d, 258, 100000);
	IS(&d,
	   AGENT4 LAST("\1") "\0\0\0\2\0\0\0\x6c\0\0\0\4\0\0\0\2\0\0\0\1"
			     "\0\0\0\1\0\0\0\x58\0\0\0\2\0\0\0\6"
			     "\0\0\0\2\x54\x0b\xe4\0\0\0\0\1\0\0\0\3"
			     "\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\xff\xff\xff\xff"
			     "\0\0\0\6\0\0\0\7\xff\xff\xff\xff"
			     "\0\0\0\0\0\0\0\x09\0\0\0\x0a\0\0\0\x0b\0\0\0\x0c"
			     "\0\0\0\x0d\0\0\0\x0e\0\0\0\1");
	compact = d.used;
	c.ifindex = 0x01000000;
	sl_sflow_begin(&d, &agent4);
	assert_int_equal(sl_sflow_add_counters(&d, &c), 0);
	assert_int_equal(d.used, compact + 4);
	assert_memory_equal(d.bytes + 28,
			    "\0\0\0\4\0\0\0\x70\0\0\0\4\0\0\0\0\1", 17);
}

/* The longest samples until no more fit: none is cut, the rest stays. */
static void bounds(void **state)
{
	char rule[SL_NAME_BYTES];
	struct sl_sflow_packet packet = {
		.input = UINT32_MAX,
		.output = UINT32_MAX,
		.rate = 1,
		.head = head,
		.head_bytes = SL_LOG_HEAD,
		.frame_bytes = 9000,
		.rule = rule,
	};
	struct sl_sflow d, before;
	uint32_t n = 0;

	(void)state;
	memset(rule, 'x', sizeof(rule)); /* and no NUL */
	sl_sflow_begin(&d, &agent6);
	do {
		before = d;
		packet.sequence++;
	} while (sl_sflow_add_packet(&d, &packet) == 0 && ++n < 100);
	assert_int_equal(n, 4);
	assert_int_equal(d.used, 40 + 4 * 288);
	assert_int_equal(d.used, before.used);
	assert_memory_equal(d.bytes, before.bytes, before.used);
	/* Smaller ones have room still, to the last byte. */
	packet.rule = "abcd";
	packet.head_bytes = 109; /* as 112 */
	assert_int_equal(sl_sflow_add_packet(&d, &packet), -ENOSPC);
	packet.head_bytes = 108;
	assert_int_equal(sl_sflow_add_packet(&d, &packet), 0);
	assert_int_equal(d.used, SL_SFLOW_BYTES);
	assert_int_equal(
		sl_sflow_add_counters(&d, &(struct sl_sflow_counters){ 0 }),
		-ENOSPC);
	assert_int_equal(d.n_samples, 5);
	sl_sflow_end(&d, 1, 1);
	assert_memory_equal(d.bytes + 28, "\0\0\0\1\0\0\0\1\0\0\0\5", 12);
}

static void reasons(void **state)
{
	static const uint32_t want[SL_REASON_COUNT] = {
		[SL_REASON_RULE] = 258,	     [SL_REASON_DEFAULT] = 258,
		[SL_REASON_NO_SOCKET] = 256, [SL_REASON_LIMITED] = 261,
		[SL_REASON_NO_DEVICE] = 256, [SL_REASON_TO_KERNEL] = 256,
		[SL_REASON_EXTENSION] = 256, [SL_REASON_TRUNCATED] = 324,
		[SL_REASON_MALFORMED] = 275, [SL_REASON_VLAN_BOUND] = 309,
		[SL_REASON_EXT_BOUND] = 357,
	};

	(void)state;
	for (int i = 0; i < SL_REASON_COUNT; i++)
		assert_int_equal(sl_sflow_reason(i), want[i]);
}

static const char rules[] = "interface lo\n"
			    "rule every log\n"
			    "rule tenth log sample 10\n"
			    "rule rare log sample 4294967295\n"
			    "rule away redirect lo\n"
			    "rule fib redirect fib\n";

/* As sl_sampling_read() has it, without a filter. */
static void open_sampling(struct sl_sampling *s)
{
	struct sl_diags diags = { 0 };

	assert_int_equal(sl_config_parse(rules, strlen(rules), "test", &diags,
					 &s->config),
			 0);
	sl_diags_fini(&diags);
	assert_int_equal(sl_rulelist_index(s->config, &s->rules), 0);
}

static void stands_for(void **state)
{
	struct sl_sampling s = { 0 };
	struct sl_sample all = { .logs = { "rare", "tenth", "every" },
				 .n_logs = 3 };
	struct sl_sample two = { .logs = { "rare", "tenth" }, .n_logs = 2 };
	struct sl_sample gone = { .logs = { NULL, "other", "away" },
				  .n_logs = 3 };

	(void)state;
	assert_int_equal(sl_sampling_rate(&s, &all, NULL), 0);
	open_sampling(&s);
	assert_int_equal(sl_sampling_rate(&s, &all, NULL), 1);
	assert_int_equal(sl_sampling_rate(&s, &all, "tenth"), 10);
	assert_int_equal(sl_sampling_rate(&s, &two, NULL), 10);
	assert_int_equal(sl_sampling_rate(&s, &two, "rare"), UINT32_MAX);
	assert_int_equal(sl_sampling_rate(&s, &two, "every"), 0);
	assert_int_equal(sl_sampling_rate(&s, &gone, NULL), 0);
	sl_sampling_fini(&s);
}

static void leaves_by(void **state)
{
	struct sl_sampling s = { 0 };
	struct sl_log_record record = { .ifindex = 77 };
	struct sl_sample sample = { .record = &record, .rule = "away" };

	(void)state;
	open_sampling(&s);
	record.verdict = SL_VERDICT_REDIRECT;
	assert_int_equal(sl_sampling_output(&s, &sample), 1); /* lo */
	sample.rule = "fib";
	assert_int_equal(sl_sampling_output(&s, &sample), 0);
	sample.rule = NULL;
	assert_int_equal(sl_sampling_output(&s, &sample), 0);
	sample.rule = "away";
	record.verdict = SL_VERDICT_DROP;
	assert_int_equal(sl_sampling_output(&s, &sample), 0);
	record.verdict = SL_VERDICT_BOUNCE;
	assert_int_equal(sl_sampling_output(&s, &sample), 77);
	sl_sampling_fini(&s);
}

static void places(void **state)
{
	static const struct {
		const char *where, *name;
	} good[] = {
		{ "127.0.0.1", "127.0.0.1:6343" },
		{ "127.0.0.1:9", "127.0.0.1:9" },
		{ "::1", "[::1]:6343" },
		{ "[::1]", "[::1]:6343" },
		{ "[::1]:9", "[::1]:9" },
	};
	static const char *const bad[] = {
		"",	  ":9",	    "127.0.0.1:",	  "127.0.0.1:x",
		"[::1",	  "[::1]9", "127.0.0.1:99999999", "[]:9",
		"[::1]:",
	};
	struct sl_collector c = { .fd = -1 };
	struct sl_error error;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		assert_int_equal(sl_collector_open(good[i].where, "6343", &c,
						   &error),
				 0);
		assert_string_equal(c.name, good[i].name);
		sl_collector_close(&c);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(sl_collector_open(bad[i], "6343", &c, &error),
				 -EINVAL);
		assert_non_null(strstr(error.text, "not a collector"));
	}
	assert_int_equal(c.fd, -1);
}

/* A socket on a port of the kernel's choice, or on *port. */
static int listener(in_port_t *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				  .sin_port = *port };
	socklen_t length = sizeof(at);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, length), 0);
	getsockname(fd, (struct sockaddr *)&at, &length);
	*port = at.sin_port;
	return fd;
}

/* What was sent, at which second: whether that changed something. */
static bool at(struct sl_collector *c, unsigned second, const char *letter)
{
	return sl_collector_send(c, letter, 1, second * 1000000000ull);
}

/* It dies, and comes back: each said once, each loss that is known counted. */
static void refused(void **state)
{
	in_port_t port = 0;
	int fd = listener(&port);
	struct sl_collector c;
	struct sl_error error;
	char where[32], got[8];
	uint8_t addr[16];

	(void)state;
	snprintf(where, sizeof(where), "127.0.0.1:%u", ntohs(port));
	assert_int_equal(sl_collector_open(where, "6343", &c, &error), 0);
	assert_int_equal(sl_collector_source(&c, addr), 4);
	assert_memory_equal(addr, "\x7f\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	assert_false(at(&c, 1, "a"));
	assert_int_equal(recv(fd, got, sizeof(got), 0), 1);
	close(fd);
	assert_false(at(&c, 2, "b")); /* nobody knows yet */
	assert_true(at(&c, 3, "c"));
	assert_int_equal(c.err, -ECONNREFUSED);
	assert_int_equal(c.lost, 1);
	assert_false(at(&c, 4, "d"));
	assert_int_equal(c.lost, 2);
	fd = listener(&port);
	assert_false(at(&c, 5, "e")); /* tells of d */
	assert_int_equal(c.lost, 3);
	assert_int_equal(recv(fd, got, sizeof(got), 0), 1);
	assert_int_equal(got[0], 'e');
	assert_false(at(&c, 7, "f")); /* ICMP may be silent so long */
	assert_int_equal(c.err, -ECONNREFUSED);
	assert_true(at(&c, 8, "g"));
	assert_int_equal(c.err, 0);
	assert_false(at(&c, 9, "h"));
	assert_int_equal(c.lost, 3);
	assert_int_equal(c.sent, 8);
	sl_collector_close(&c);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty),     cmocka_unit_test(dropped),
		cmocka_unit_test(passed),    cmocka_unit_test(expanded),
		cmocka_unit_test(counters),  cmocka_unit_test(bounds),
		cmocka_unit_test(reasons),   cmocka_unit_test(stands_for),
		cmocka_unit_test(leaves_by), cmocka_unit_test(places),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
