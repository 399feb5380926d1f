// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the ports do when rings are full, empty, late or dead; fwd_lab.h is the kernel. */
#include "fwd_lab.h"

static void forwards_a_packet(void **state)
{
	struct sl_fwd_port *ports = lab->worker.ports;

	(void)state;
	assert_int_equal(receive(&lab->kernel[0], 1), 1);
	assert_int_equal(round_later(MS), 1);
	assert_int_equal(lab->kernel[1].sent, 1);
	assert_int_equal(ports[0].count.rx_bytes, 60);
	assert_int_equal(ports[1].count.tx_bytes, 60);
	assert_int_equal(ports[1].tx_out, 1);
	complete(&lab->kernel[1], 1);
	round_later(MS);
	assert_int_equal(ports[1].tx_out, 0);
}

static void refills_to_the_target(void **state)
{
	(void)state;
	assert_int_equal(receive(&lab->kernel[0], SL_XSK_RING + 1),
			 SL_PORT_FILL);
	for (uint32_t i = 0; i < 2 * SL_XSK_RING / SL_BURST; i++) {
		round_later(MS);
		complete(&lab->kernel[1], UINT32_MAX);
	}
	round_later(MS);
	assert_int_equal(lab->kernel[1].sent, SL_PORT_FILL);
	assert_int_equal(lab->worker.ports[0].fill_out, SL_PORT_FILL);
	assert_int_equal(total_drops(), 0);
}

/* A burst that is taken and dropped, as far as the port is concerned. */
static void take_burst(struct sl_fwd_port *port)
{
	struct sl_fwd_burst burst;

	sl_fwd_burst_init(&burst, port);
	port->ops->rx_burst(port, &burst);
	assert_int_equal(burst.n, SL_BURST);
}

/* A short fill must not leave the ring short: the deficit is made up when frames return. */
static void refills_with_what_there_is(void **state)
{
	struct sl_fwd_port *port = &lab->worker.ports[0];
	struct sl_umem *umem = &lab->worker.umem;
	uint64_t kept[FRAMES];
	uint32_t n = 0;

	(void)state;
	while (umem->count[SL_FRAME_FREE] > 10) {
		kept[n] = sl_umem_take(umem);
		sl_umem_move(umem, kept[n++], SL_FRAME_FILL, SL_FRAME_STAGE);
	}
	receive(&lab->kernel[0], SL_BURST);
	take_burst(port);
	port->ops->refill(port);
	assert_int_equal(port->fill_out, SL_PORT_FILL - SL_BURST + 10);
	while (n)
		sl_umem_give(umem, kept[--n], SL_FRAME_STAGE);
	receive(&lab->kernel[0], SL_BURST);
	take_burst(port);
	port->ops->refill(port);
	assert_int_equal(port->fill_out, SL_PORT_FILL);
}

/* The same where the ring has no room, as the kernel has not said yet what it took. */
static void refills_as_far_as_there_is_room(void **state)
{
	struct sl_fwd_port *port = &lab->worker.ports[0];

	(void)state;
	receive(&lab->kernel[0], SL_BURST);
	lab->kernel[0].fill_lags = true;
	receive(&lab->kernel[0], SL_BURST);
	take_burst(port);
	take_burst(port);
	port->ops->refill(port);
	assert_int_equal(port->fill_out, SL_PORT_FILL - SL_BURST);
	mock_kernel_flush(&lab->kernel[0]);
	port->ops->refill(port);
	assert_int_equal(port->fill_out, SL_PORT_FILL);
}

static void stuck_port_drops_and_starves_nobody(void **state)
{
	uint64_t other = 0;

	(void)state;
	lab->kernel[1].err = -EAGAIN;
	for (int i = 0; i < 200; i++) {
		receive(&lab->kernel[0], SL_BURST);
		other += receive(&lab->kernel[1], SL_BURST);
		round_later(MS);
		complete(&lab->kernel[0], UINT32_MAX);
	}
	round_later(MS);
	assert_int_equal(lab->kernel[0].sent, other);
	assert_int_equal(other, 200 * SL_BURST);
	assert_int_equal(lab->worker.ports[1].tx_out, SL_PORT_TX);
	assert_int_equal(lab->worker.ports[1].count.drops[SL_FWD_DROP_TX_FULL],
			 200 * SL_BURST - SL_PORT_TX);
	/* Bounded: a few attempts a round, not a spin. */
	assert_true(lab->kernel[1].kicks <= 200 * 8);
}

/*
 * Before Linux 6.17 the TX consumer stands still while a kick sends its budget: that is no
 * stall, and the rest of the burst is sent in the same kick.
 */
static void a_lagging_consumer_is_no_stall(void **state)
{
	uint64_t packets = 0;

	(void)state;
	lab->kernel[1].lags = true;
	for (int i = 0; i < 4000; i++) {
		packets += receive(&lab->kernel[0], SL_BURST);
		round_later(50000);
		complete(&lab->kernel[1], UINT32_MAX);
	}
	round_later(MS);
	assert_int_equal(total_drops(), 0);
	assert_int_equal(lab->kernel[1].sent, packets);
	assert_true(lab->kernel[1].kicks * 16 <= packets);
}

/* The same where completions come late, too: neither shows that frames are on their way. */
static void a_lagging_consumer_is_driven_on(void **state)
{
	uint64_t packets = 0;

	(void)state;
	lab->kernel[1].lags = true;
	for (int i = 0; i < 1000; i++) {
		packets += receive(&lab->kernel[0], SL_BURST);
		round_later(50000);
		if (i % 8 == 7)
			complete(&lab->kernel[1], UINT32_MAX);
	}
	round_later(MS);
	assert_int_equal(total_drops(), 0);
	assert_int_equal(lab->kernel[1].sent, packets);
}

static void late_completions_bound_what_is_out(void **state)
{
	(void)state;
	lab->kernel[1].budget = SL_BURST;
	for (int i = 0; i < 200; i++) {
		receive(&lab->kernel[0], SL_BURST);
		round_later(MS);
	}
	assert_int_equal(lab->kernel[1].sent, SL_PORT_TX);
	complete(&lab->kernel[1], UINT32_MAX);
	receive(&lab->kernel[0], 1);
	round_later(MS);
	/* It was loaded, so the kick may be held until now. */
	round_later(MS);
	assert_int_equal(lab->kernel[1].sent, SL_PORT_TX + 1);
}

/* EAGAIN of a full completion ring goes away by reading that ring, not by asking again. */
static void a_full_completion_ring_is_read_first(void **state)
{
	(void)state;
	lab->kernel[1].budget = SL_BURST;
	while (lab->kernel[1].sent < SL_PORT_TX) {
		receive(&lab->kernel[0], SL_BURST);
		round_later(MS);
	}
	complete(&lab->kernel[1], UINT32_MAX);
	assert_int_equal(mock_ring_used(&lab->kernel[1].comp), SL_XSK_RING);
	lab->kernel[1].kicks = 0;
	receive(&lab->kernel[0], SL_BURST);
	round_later(MS);
	round_later(MS);
	assert_int_equal(lab->kernel[1].sent, SL_PORT_TX + SL_BURST);
	assert_in_range(lab->kernel[1].kicks, 1, 2);
	assert_int_equal(total_drops(), 0);
}

/* A driver that looks at the ring by itself says so, and a call would be a waste. */
static void wakes_nobody_who_is_awake(void **state)
{
	(void)state;
	lab->kernel[1].tx.flags = 0;
	for (int i = 0; i < 10; i++) {
		receive(&lab->kernel[0], 1);
		round_later(MS);
	}
	assert_int_equal(lab->kernel[1].kicks, 0);
	lab->kernel[1].tx.flags = XDP_RING_NEED_WAKEUP;
	round_later(MS);
	assert_int_equal(lab->kernel[1].sent, 10);
}

static void goes_down_and_comes_back(void **state)
{
	struct sl_fwd_port *port = &lab->worker.ports[1];
	uint64_t kicks;

	(void)state;
	lab->kernel[1].err = -ENETDOWN;
	receive(&lab->kernel[0], 1);
	round_later(MS);
	assert_true(port->down);
	kicks = lab->kernel[1].kicks;
	for (int i = 0; i < 100; i++) {
		receive(&lab->kernel[0], 1);
		round_later(MS / 1000);
	}
	assert_int_equal(port->count.drops[SL_FWD_DROP_LINK_DOWN], 100);
	assert_true(lab->kernel[1].kicks - kicks <= 1);
	lab->kernel[1].err = 0;
	receive(&lab->kernel[0], 1);
	round_later(100 * MS);
	assert_false(port->down);
	assert_int_equal(lab->kernel[1].sent, 2);
}

static void without_a_link_nothing_is_queued(void **state)
{
	(void)state;
	lab->worker.ports[1].link = false;
	receive(&lab->kernel[0], 5);
	round_later(MS);
	assert_int_equal(lab->worker.ports[1].tx_out, 0);
	assert_int_equal(
		lab->worker.ports[1].count.drops[SL_FWD_DROP_LINK_DOWN], 5);
	assert_int_equal(lab->kernel[1].kicks, 0);
}

/* Under load a kick waits for a burst or for the end of the hold; a tail is not left. */
static void holds_kicks_under_load(void **state)
{
	uint64_t packets = 0, early = 0;

	(void)state;
	lab->kernel[1].budget = SL_BURST;
	for (int i = 0; i < 4000; i++) {
		packets += receive(&lab->kernel[0], 2);
		round_later(5000);
		complete(&lab->kernel[1], UINT32_MAX);
		if (!lab->worker.pace.loaded)
			early = lab->kernel[1].kicks;
	}
	assert_true(lab->worker.pace.loaded);
	assert_true((lab->kernel[1].kicks - early) * 32 <= packets);
	round_later(MS);
	assert_int_equal(lab->kernel[1].sent, packets);
}

static void load_for_ms(uint32_t per_ms, uint32_t ms)
{
	for (uint32_t i = 0; i < ms; i++) {
		receive(&lab->kernel[0], per_ms);
		round_later(MS);
		complete(&lab->kernel[1], UINT32_MAX);
	}
}

/* Of bursts: what is left of one is not held until the next. */
static void a_pause_ends_a_hold(void **state)
{
	(void)state;
	lab->kernel[1].budget = SL_BURST;
	load_for_ms(64, 5);
	receive(&lab->kernel[0], 30);
	round_later(1000);
	assert_int_equal(
		lab->worker.ports[1].ops->pending(&lab->worker.ports[1]), 30);
	round_later(lab->worker.pace.pause_ns);
	assert_int_equal(
		lab->worker.ports[1].ops->pending(&lab->worker.ports[1]), 0);
}

/* A pause behind each few packets is none: one early kick for 32, by all ports together. */
static void small_bunches_gather(void **state)
{
	uint64_t kicks = 0;

	(void)state;
	load_for_ms(64, 5);
	lab->kernel[0].budget = lab->kernel[1].budget = SL_BURST;
	for (int i = 0; i < 4000; i++) {
		kicks -= lab->kernel[0].kicks + lab->kernel[1].kicks;
		receive(&lab->kernel[0], 3);
		receive(&lab->kernel[1], 2);
		round_later(50000);
		kicks += lab->kernel[0].kicks + lab->kernel[1].kicks;
		complete(&lab->kernel[0], UINT32_MAX);
		complete(&lab->kernel[1], UINT32_MAX);
	}
	/* Besides, one of each port in 500 us. */
	assert_in_range(kicks * 32, 4000 * 5 / 2, 4000 * 5 * 3 / 2);
}

/* At a rate between the two thresholds a worker stays what it was. */
static void load_has_two_thresholds(void **state)
{
	(void)state;
	load_for_ms(50, 5);
	assert_false(lab->worker.pace.loaded);
	load_for_ms(64, 2);
	assert_true(lab->worker.pace.loaded);
	load_for_ms(50, 5);
	assert_true(lab->worker.pace.loaded);
	assert_in_range(lab->worker.pace.nap_ns, 400000, 500000);
	load_for_ms(31, 2);
	assert_false(lab->worker.pace.loaded);
}

/* What gathers in a nap is a burst; a nap that would be all slack is none. */
static void naps_are_bounded_by_the_rate(void **state)
{
	(void)state;
	for (int i = 0; i < 2000; i++) {
		receive(&lab->kernel[0], 1);
		round_later(1000);
		complete(&lab->kernel[1], UINT32_MAX);
	}
	assert_in_range(lab->worker.pace.nap_ns, 60000, 65000);
	for (int i = 0; i < 2000; i++) {
		receive(&lab->kernel[0], 16);
		round_later(1000);
		complete(&lab->kernel[1], UINT32_MAX);
	}
	assert_int_equal(lab->worker.pace.nap_ns, 0);
}

/* ppoll() sent what was held: what comes then is held from then on. */
static void a_hold_ends_with_what_was_held(void **state)
{
	uint64_t kicks;

	(void)state;
	lab->kernel[1].budget = SL_BURST;
	load_for_ms(64, 3);
	receive(&lab->kernel[0], 5);
	round_later(1000);
	assert_int_equal(
		lab->worker.ports[1].ops->pending(&lab->worker.ports[1]), 5);
	mock_kernel_send(&lab->kernel[1]);
	kicks = lab->kernel[1].kicks;
	round_later(600000);
	receive(&lab->kernel[0], 5);
	round_later(1000);
	assert_int_equal(lab->kernel[1].kicks, kicks);
	round_later(600000);
	assert_int_equal(lab->kernel[1].kicks, kicks + 1);
}

static void idle_packet_is_kicked_at_once(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++) {
		receive(&lab->kernel[0], 1);
		round_later(10 * MS);
		assert_int_equal(lab->kernel[1].sent, i + 1);
		complete(&lab->kernel[1], 1);
	}
}

static void counts_what_the_kernel_refused(void **state)
{
	(void)state;
	lab->kernel[1].err = -EBUSY;
	receive(&lab->kernel[0], 1);
	round_later(MS);
	assert_int_equal(lab->worker.ports[1].count.tx_refused, 1);
}

/* A zero-copy driver that ran out of frames waits for a wakeup, also of a loaded worker. */
static void a_dry_fill_ring_is_woken(void **state)
{
	(void)state;
	lab->kernel[0].fill.flags = XDP_RING_NEED_WAKEUP;
	for (int i = 0; i < 1000; i++) {
		receive(&lab->kernel[0], 1);
		receive(&lab->kernel[1], 1);
		round_later(1000);
		complete(&lab->kernel[0], UINT32_MAX);
		complete(&lab->kernel[1], UINT32_MAX);
	}
	/* 1000 rounds of 1 us: at most once per 20 us, and not once in a while only. */
	assert_in_range(lab->kernel[0].rx_wakes, 25, 51);
	assert_int_equal(lab->kernel[1].rx_wakes, 0);
}

static void busy_polls_what_is_idle(void **state)
{
	(void)state;
	lab->worker.busy = true;
	lab->worker.ports[0].busy_poll = lab->worker.ports[1].busy_poll = true;
	for (int i = 0; i < 100; i++) {
		receive(&lab->kernel[0], 1);
		round_later(10000);
		complete(&lab->kernel[1], UINT32_MAX);
	}
	assert_int_equal(lab->kernel[0].rx_wakes, 0);
	assert_int_equal(lab->kernel[1].rx_wakes, 100);
	assert_int_equal(lab->worker.ports[1].count.idle_polls, 100);
	assert_int_equal(lab->worker.count_wake_rx, 100);
	round_later(10000);
	assert_int_equal(lab->kernel[0].rx_wakes, 1);
	/* A port whose worker sleeps between packets is left alone. */
	lab->worker.ports[0].rests = lab->worker.ports[1].rests = true;
	assert_false(ready(0) || ready(1));
	round_later(10000);
	assert_int_equal(lab->kernel[0].rx_wakes, 1);
	assert_int_equal(lab->kernel[1].rx_wakes, 101);
}

static int brings_one(struct sl_fwd_port *port)
{
	receive(&lab->kernel[port - lab->worker.ports], 1);
	return 0;
}

/* A busy poll that brings a packet is that packet's, and counted among its calls. */
static void busy_polls_that_bring_are_not_idle(void **state)
{
	static struct sl_fwd_wake wake;
	struct sl_fwd_port *port = &lab->worker.ports[0];

	(void)state;
	wake = *port->wake;
	wake.rx = brings_one;
	port->wake = &wake;
	port->busy_poll = true;
	for (int i = 0; i < 10; i++) {
		round_later(10000);
		assert_int_equal(round_later(10000), 1);
		complete(&lab->kernel[1], UINT32_MAX);
	}
	assert_int_equal(lab->worker.count_wake_rx, 10);
	assert_int_equal(port->count.idle_polls, 0);
}

/* What a worker that spins looks at: nothing is overlooked, and nothing is no reason for a round. */
static void looks_before_a_round(void **state)
{
	struct sl_fwd_port *port = &lab->worker.ports[0];

	(void)state;
	/* round_later() asserts that it was ready whenever a packet is found. */
	for (int i = 0; i < 3 * (int)SL_XSK_RING; i++) {
		receive(&lab->kernel[0], 1);
		assert_true(ready(0) && !ready(1));
		assert_int_equal(round_later(MS), 1);
		complete(&lab->kernel[1], 1);
		assert_false(ready(0) || ready(1));
	}
	receive(&lab->kernel[0], SL_BURST + 1);
	round_later(MS);
	assert_true(ready(0));
	round_later(MS);
	assert_false(ready(0));
	/* NAPI is driven by rounds. */
	port->busy_poll = true;
	assert_true(ready(0) && !ready(1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(forwards_a_packet),
		TEST(refills_to_the_target),
		TEST(refills_with_what_there_is),
		TEST(refills_as_far_as_there_is_room),
		TEST(stuck_port_drops_and_starves_nobody),
		TEST(a_lagging_consumer_is_no_stall),
		TEST(a_lagging_consumer_is_driven_on),
		TEST(late_completions_bound_what_is_out),
		TEST(a_full_completion_ring_is_read_first),
		TEST(wakes_nobody_who_is_awake),
		TEST(goes_down_and_comes_back),
		TEST(without_a_link_nothing_is_queued),
		TEST(holds_kicks_under_load),
		TEST(a_pause_ends_a_hold),
		TEST(small_bunches_gather),
		TEST(load_has_two_thresholds),
		TEST(naps_are_bounded_by_the_rate),
		TEST(a_hold_ends_with_what_was_held),
		TEST(idle_packet_is_kicked_at_once),
		TEST(counts_what_the_kernel_refused),
		TEST(a_dry_fill_ring_is_woken),
		TEST(busy_polls_what_is_idle),
		TEST(busy_polls_that_bring_are_not_idle),
		TEST(looks_before_a_round),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
