// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A frame in a few words: what they are, and that no bytes lead astray. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "lib/summary.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define RANDOM_FRAMES 200000

#define MACS "\2\0\0\0\0\1\2\0\0\0\0\2"
#define IP4(flags, protocol) \
	"\x45\0\0\x20\0\0" flags "\x40" protocol "\0\0\xc0\0\2\1\xc6\x33\x64\1"
#define IP6(protocol)                                                  \
	"\x60\0\0\0\0\x08" protocol "\x40"                             \
	"\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0" \
	"\0\0\0\0\2"

struct example {
	const char *frame;
	size_t bytes;
	const char *text;
};

#define FRAME(literal) literal, sizeof(literal) - 1

static const struct example examples[] = {
	{ FRAME(MACS "\x08\0" IP4("\0\0", "\x11") "\0\x35\4\0"),
	  "udp 192.0.2.1:53 > 198.51.100.1:1024" },
	{ FRAME(MACS "\x08\0" IP4("\x20\0", "\x06") "\0\x35\4\0"),
	  "tcp 192.0.2.1:53 > 198.51.100.1:1024" },
	{ FRAME(MACS "\x08\0" IP4("\0\1", "\x06") "\0\x35\4\0"),
	  "tcp 192.0.2.1 > 198.51.100.1, later fragment" },
	{ FRAME(MACS "\x08\0" IP4("\0\0", "\x06") "\0\x35\4"),
	  "tcp 192.0.2.1 > 198.51.100.1" },
	{ FRAME(MACS "\x08\0" IP4("\0\0", "\x01") "\x08\0\0\0"),
	  "icmp 192.0.2.1 > 198.51.100.1" },
	{ FRAME(MACS "\x81\0\x20\5\x86\xdd" IP6("\x84") "\0\1\0\2"),
	  "vlan 5 sctp [2001:db8::1]:1 > [::2]:2" },
	{ FRAME(MACS "\x88\xa8\0\5\x81\0\0\6\x86\xdd" IP6("\x2c") "\0\1\0\2"),
	  "vlan 5 vlan 6 proto 44 2001:db8::1 > ::2" },
	{ FRAME(MACS "\x81\0\0\1\x81\0\0\2\x81\0\0\3\x08\0"),
	  "vlan 1 vlan 2 ethertype 0x8100" },
	{ FRAME(MACS "\x08\6"), "ethertype 0x0806" },
	{ FRAME(MACS "\x08\0\x45\0\0"), "ip, cut off or malformed" },
	{ FRAME(MACS "\x86\xdd\x45\0\0"), "ip6, cut off or malformed" },
	{ FRAME("\2\0\0"), "cut off" },
};

static void says(void **state)
{
	char text[SL_SUMMARY_BYTES];

	(void)state;
	for (size_t i = 0; i < COUNT(examples); i++) {
		sl_summary_write((const uint8_t *)examples[i].frame,
				 examples[i].bytes, text);
		assert_string_equal(text, examples[i].text);
	}
}

static void source_is_found(void **state)
{
	static const char *const sources[COUNT(examples)] = {
		"192.0.2.1", "192.0.2.1",   "192.0.2.1",   "192.0.2.1",
		"192.0.2.1", "2001:db8::1", "2001:db8::1",
	};
	char text[SL_SUMMARY_SOURCE];

	(void)state;
	for (size_t i = 0; i < COUNT(examples); i++) {
		bool found =
			sl_summary_source((const uint8_t *)examples[i].frame,
					  examples[i].bytes, text);

		assert_int_equal(found, sources[i] != NULL);
		if (found)
			assert_string_equal(text, sources[i]);
	}
}

/* Examples with random bytes changed, cut anywhere, in memory that ends there. */
static void takes_any_bytes(void **state)
{
	char text[SL_SUMMARY_BYTES];

	(void)state;
	srandom(1);
	for (int i = 0; i < RANDOM_FRAMES; i++) {
		const struct example *e =
			&examples[(size_t)random() % COUNT(examples)];
		size_t bytes = (size_t)random() % (e->bytes + 1);
		uint8_t *frame = malloc(bytes + !bytes);

		assert_non_null(frame);
		memcpy(frame, e->frame, bytes);
		for (int n = (int)(random() % 4); n > 0 && bytes; n--)
			frame[(size_t)random() % bytes] = (uint8_t)random();
		memset(text, 'x', sizeof(text));
		sl_summary_write(frame, bytes, text);
		assert_non_null(memchr(text, '\0', sizeof(text)));
		sl_summary_source(frame, bytes, text);
		free(frame);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says),
		cmocka_unit_test(source_is_found),
		cmocka_unit_test(takes_any_bytes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("summary", tests, NULL, NULL);
}
