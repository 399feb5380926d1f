// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Zero-copy is asked for where the driver's takes as many buffers as the packets may have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "afxdp-app/forwarder.h"
#include "afxdp-app/segments.h"
#include "afxdp-app/sockets.h"
#include "lib/config.h"

static void buffers_of_an_mtu(void **state)
{
	(void)state;
	/* docs/forwarder.md, Limits: 3,520 bytes are MTU 3,498 with Ethernet and two tags. */
	assert_int_equal(sl_fwd_segments_wanted(68), 1);
	assert_int_equal(sl_fwd_segments_wanted(3498), 1);
	assert_int_equal(sl_fwd_segments_wanted(3499), 2);
	assert_int_equal(sl_fwd_segments_wanted(9000), 3);
	for (uint32_t n = 1; n < 20; n++) {
		uint32_t mtu = sl_fwd_segments_mtu(n);

		assert_int_equal(sl_fwd_segments_wanted(mtu), n);
		assert_int_equal(sl_fwd_segments_wanted(mtu + 1), n + 1);
	}
}

/* Two interfaces, a worker with a port on each. */
struct two {
	struct sl_forwarder config;
	struct sl_fwd_iface ifaces[2];
	struct sl_fwd_port ports[2];
	struct sl_fwd_worker worker;
	struct sl_fwd fwd;
};

static void two_init(struct two *two, enum sl_zerocopy configured,
		     const uint32_t *mtu, const uint32_t *segments)
{
	*two = (struct two){
		.config = { .zerocopy = configured },
		.ifaces = { { .name = "eth1",
			      .mtu = mtu[0],
			      .zc_segments = segments[0] },
			    { .name = "eth2",
			      .mtu = mtu[1],
			      .zc_segments = segments[1] } },
		.ports = { { .iface = 0 }, { .iface = 1 } },
		.worker = { .ports = two->ports, .n_ports = 2 },
		.fwd = { .config = &two->config,
			 .ifaces = two->ifaces,
			 .n_ifaces = 2 },
	};
}

/* What it asks for, or -errno. */
static int mode(enum sl_zerocopy configured, const uint32_t *mtu,
		const uint32_t *segments)
{
	enum sl_zerocopy zerocopy = SL_ZC_AUTO;
	struct two two;
	int err;

	two_init(&two, configured, mtu, segments);
	err = sl_fwd_sockets_mode(&two.fwd, &two.worker, &zerocopy);
	return err ? err : (int)zerocopy;
}

/* Why its second port is in copy mode. */
static const char *reason(enum sl_zerocopy configured, uint32_t mtu,
			  struct sl_xsk got)
{
	struct two two;

	two_init(&two, configured, (const uint32_t[2]){ mtu, 1500 },
		 (const uint32_t[2]){ 1, 1 });
	two.ports[1].xsk = got;
	return sl_fwd_sockets_copy_reason(&two.fwd, &two.worker, &two.ports[1]);
}

static void copy_mode_has_a_reason(void **state)
{
	const struct sl_xsk granted = { .zerocopy = true }, copied = { 0 },
			    yielded = { .yielded = true };

	(void)state;
	assert_null(reason(SL_ZC_AUTO, 1500, granted));
	/* Taken over from a configuration that did not say `off`. */
	assert_null(reason(SL_ZC_OFF, 1500, granted));
	assert_string_equal(reason(SL_ZC_OFF, 9000, copied), "configuration");
	assert_string_equal(reason(SL_ZC_AUTO, 9000, copied), "mtu");
	assert_string_equal(reason(SL_ZC_AUTO, 1500, copied), "driver");
	assert_string_equal(reason(SL_ZC_AUTO, 1500, yielded), "worker");
}

#define M(...) ((const uint32_t[2]){ __VA_ARGS__ })

static void packets_of_one_buffer_fit_any(void **state)
{
	(void)state;
	assert_int_equal(mode(SL_ZC_AUTO, M(1500, 3498), M(1, 1)), SL_ZC_AUTO);
	assert_int_equal(mode(SL_ZC_REQUIRE, M(1500, 1500), M(1, 0)),
			 SL_ZC_REQUIRE);
}

static void longer_ones_need_a_driver_that_takes_them(void **state)
{
	(void)state;
	assert_int_equal(mode(SL_ZC_AUTO, M(9000, 9000), M(3, 17)), SL_ZC_AUTO);
	assert_int_equal(mode(SL_ZC_AUTO, M(9000, 9000), M(17, 1)), SL_ZC_OFF);
	assert_int_equal(mode(SL_ZC_AUTO, M(9000, 9000), M(2, 17)), SL_ZC_OFF);
	assert_int_equal(mode(SL_ZC_REQUIRE, M(9000, 9000), M(17, 2)),
			 -EOPNOTSUPP);
	assert_int_equal(mode(SL_ZC_OFF, M(9000, 9000), M(1, 1)), SL_ZC_OFF);
}

/* What comes in by the one leaves by the other. */
static void the_longest_packet_of_the_worker_counts(void **state)
{
	(void)state;
	assert_int_equal(mode(SL_ZC_AUTO, M(9000, 1500), M(17, 1)), SL_ZC_OFF);
	assert_int_equal(mode(SL_ZC_REQUIRE, M(1500, 9000), M(1, 17)),
			 -EOPNOTSUPP);
}

/* A kernel before 6.6, or a driver that has no zero-copy: bind() has the last word. */
static void what_is_not_told_is_tried(void **state)
{
	(void)state;
	assert_int_equal(mode(SL_ZC_AUTO, M(9000, 9000), M(0, 0)), SL_ZC_AUTO);
	assert_int_equal(mode(SL_ZC_REQUIRE, M(9000, 9000), M(0, 0)),
			 SL_ZC_REQUIRE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buffers_of_an_mtu),
		cmocka_unit_test(packets_of_one_buffer_fit_any),
		cmocka_unit_test(longer_ones_need_a_driver_that_takes_them),
		cmocka_unit_test(the_longest_packet_of_the_worker_counts),
		cmocka_unit_test(what_is_not_told_is_tried),
		cmocka_unit_test(copy_mode_has_a_reason),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
