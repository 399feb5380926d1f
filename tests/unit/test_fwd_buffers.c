// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Packets of several buffers, and a kernel that lies; what is wrong in these is dropped whole. */
#include "fwd_lab.h"

static uint64_t drops(uint32_t port, enum sl_fwd_drop reason)
{
	return lab->worker.ports[port].count.drops[reason];
}

static void forwards_all_buffers(void **state)
{
	const struct sl_fwd_port *ports = lab->worker.ports;

	(void)state;
	assert_int_equal(mock_kernel_receive(&lab->kernel[0], 5, 3), 5);
	assert_int_equal(round_later(MS), 5);
	assert_int_equal(lab->kernel[1].sent, 5);
	assert_int_equal(ports[0].count.rx_packets, 5);
	assert_int_equal(ports[0].count.rx_bytes, 5 * 3 * 60);
	assert_int_equal(ports[1].count.tx_bytes, 5 * 3 * 60);
	assert_int_equal(ports[1].tx_out, 15);
	complete(&lab->kernel[1], UINT32_MAX);
	round_later(MS);
	assert_int_equal(ports[1].tx_out, 0);
}

/* 64 descriptors are 21 packets of three and one that goes on in the next burst. */
static void a_burst_ends_with_a_packet(void **state)
{
	(void)state;
	mock_kernel_receive(&lab->kernel[0], 100, 3);
	for (int i = 0; i < 4; i++)
		assert_int_equal(round_later(MS), 21);
	assert_int_equal(round_later(MS), 100 - 4 * 21);
	round_later(MS);
	assert_int_equal(lab->kernel[1].sent, 100);
	assert_int_equal(total_drops(), 0);
}

static void waits_for_the_tail(void **state)
{
	struct mock_kernel *kernel = &lab->kernel[0];

	(void)state;
	mock_kernel_receive(kernel, 1, 1);
	mock_kernel_buffer(kernel, 100, true);
	assert_int_equal(round_later(MS), 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(round_later(MS), 0);
	assert_int_equal(mock_ring_used(&kernel->rx), 1);
	mock_kernel_buffer(kernel, 100, true);
	assert_int_equal(round_later(MS), 0);
	mock_kernel_buffer(kernel, 50, false);
	/* At the latest in the round after: the first finds that there is more. */
	assert_int_equal(round_later(MS) + round_later(MS), 1);
	round_later(MS);
	assert_int_equal(lab->kernel[1].sent, 2);
	assert_int_equal(lab->worker.ports[0].count.rx_bytes, 60 + 250);
}

/* The TX ring has room for a part of the packet: it has room for none of it. */
static void drops_a_packet_whole(void **state)
{
	struct mock_kernel *out = &lab->kernel[1];

	(void)state;
	out->err = -EAGAIN;
	for (int i = 0; i < 100; i++) {
		mock_kernel_receive(&lab->kernel[0], 20, 3);
		round_later(MS);
	}
	assert_int_equal(lab->worker.ports[1].tx_out, SL_PORT_TX / 3 * 3);
	assert_int_equal(drops(1, SL_FWD_DROP_TX_FULL),
			 100 * 20 - SL_PORT_TX / 3);
	out->err = 0;
	for (int i = 0; i < 100; i++) {
		round_later(MS);
		complete(out, UINT32_MAX);
	}
	assert_int_equal(out->sent, SL_PORT_TX / 3);
}

/* A shorter packet behind one that does not fit may still fit; order holds all the same. */
static void fills_the_ring_to_the_end(void **state)
{
	struct mock_kernel *out = &lab->kernel[1];

	(void)state;
	out->err = -EAGAIN;
	for (uint32_t i = 0; i < SL_PORT_TX / 2 - 1; i++) {
		mock_kernel_receive(&lab->kernel[0], 1, 2);
		round_later(MS);
	}
	mock_kernel_receive(&lab->kernel[0], 1, 1);
	mock_kernel_receive(&lab->kernel[0], 1, 2);
	mock_kernel_receive(&lab->kernel[0], 1, 1);
	round_later(MS);
	assert_int_equal(lab->worker.ports[1].tx_out, SL_PORT_TX);
	assert_int_equal(total_drops(), 1);
}

/* No kernel makes a packet of a burst's buffers or more; waited for, it would stop the port. */
static void drops_a_packet_without_an_end(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 3 * SL_BURST + 7; i++)
		mock_kernel_buffer(&lab->kernel[0], 60, true);
	for (int i = 0; i < 5; i++)
		round_later(MS);
	assert_int_equal(mock_ring_used(&lab->kernel[0].rx), 0);
	mock_kernel_buffer(&lab->kernel[0], 60, false);
	receive(&lab->kernel[0], 2);
	assert_int_equal(round_later(MS), 2);
	round_later(MS);
	assert_int_equal(lab->kernel[1].sent, 2);
	assert_int_equal(drops(0, SL_FWD_DROP_TOO_LONG), 1);
	assert_int_equal(total_drops(), 1);
	/* All of its frames came back. */
	assert_true(lab->worker.ports[0].fill_out > SL_PORT_FILL - SL_BURST);
}

static void a_cut_packet_is_reclaimed(void **state)
{
	(void)state;
	mock_kernel_buffer(&lab->kernel[0], 60, true);
	mock_kernel_buffer(&lab->kernel[0], 60, true);
	round_later(MS);
	mock_kernel_buffer(&lab->kernel[0], 60, true); /* not looked at */
	sl_fwd_worker_reclaim(&lab->worker);
	assert_int_equal(lab->worker.umem.count[SL_FRAME_FREE], FRAMES);
	assert_true(sl_umem_audit(&lab->worker.umem));
}

/* One descriptor of each kind of lie, alone and as the middle of a packet of three. */
static void a_lie_drops_its_packet(void **state)
{
	const uint64_t last = (uint64_t)(FRAMES - 1) << SL_FRAME_SHIFT;
	const struct xdp_desc lies[] = {
		{ .addr = (uint64_t)FRAMES << SL_FRAME_SHIFT, .len = 60 },
		{ .addr = UINT64_MAX, .len = 60 },
		{ .addr = last, .len = 60 }, /* FREE: not the kernel's */
	};
	uint32_t n = sizeof(lies) / sizeof(lies[0]);

	(void)state;
	lab->lied = true;
	assert_int_equal(lab->worker.umem.state[FRAMES - 1], SL_FRAME_FREE);
	for (uint32_t i = 0; i < n; i++) {
		struct xdp_desc middle = lies[i];

		mock_kernel_lie_rx(&lab->kernel[0], lies[i]);
		mock_kernel_buffer(&lab->kernel[0], 60, true);
		middle.options = XDP_PKT_CONTD;
		mock_kernel_lie_rx(&lab->kernel[0], middle);
		mock_kernel_buffer(&lab->kernel[0], 60, false);
		receive(&lab->kernel[0], 1);
		round_later(MS);
		assert_int_equal(lab->worker.umem.violations, 2 * (i + 1));
	}
	round_later(MS);
	assert_int_equal(drops(0, SL_FWD_DROP_INVALID), 2 * n);
	assert_int_equal(lab->kernel[1].sent, n);
	assert_int_equal(lab->worker.ports[0].count.rx_packets, 3 * n);
}

/*
 * A length that reaches into the next frame: a stage would read another packet. None at all: the
 * kernel takes no empty descriptor to send, and would not give the frame back.
 */
static void a_length_of_no_frame_is_a_lie(void **state)
{
	(void)state;
	lab->lied = true;
	mock_kernel_buffer(&lab->kernel[0], SL_FRAME_BYTES - MOCK_HEADROOM,
			   false);
	mock_kernel_buffer(&lab->kernel[0], SL_FRAME_BYTES - MOCK_HEADROOM + 1,
			   false);
	mock_kernel_buffer(&lab->kernel[0], UINT32_MAX, false);
	mock_kernel_buffer(&lab->kernel[0], 0, false);
	mock_kernel_buffer(&lab->kernel[0], 60, true);
	mock_kernel_buffer(&lab->kernel[0], 0, false);
	assert_int_equal(round_later(MS), 1);
	assert_int_equal(lab->worker.ports[1].tx_out, 1);
	assert_int_equal(drops(0, SL_FWD_DROP_INVALID), 4);
	assert_int_equal(lab->worker.umem.violations, 4);
	assert_int_equal(lab->worker.ports[0].fill_out, SL_PORT_FILL - 6);
}

/* Completed twice, never sent, or not of the UMEM: nothing is freed that is not out. */
static void a_completion_that_lies_frees_nothing(void **state)
{
	const struct mock_kernel *out = &lab->kernel[1];
	uint64_t sent;

	(void)state;
	lab->lied = true;
	receive(&lab->kernel[0], 3);
	round_later(MS);
	assert_int_equal(out->n_on_wire, 3);
	sent = out->on_wire[2];
	complete(&lab->kernel[1], 1);
	mock_kernel_lie_comp(&lab->kernel[1], sent);
	mock_kernel_lie_comp(&lab->kernel[1], UINT64_MAX);
	mock_kernel_lie_comp(&lab->kernel[1], lab->kernel[1].fill.addr[9]);
	round_later(MS);
	assert_int_equal(lab->worker.umem.violations, 3);
	assert_int_equal(lab->worker.ports[1].tx_out, 2);
	complete(&lab->kernel[1], 2);
	round_later(MS);
	assert_int_equal(lab->worker.ports[1].tx_out, 0);
}

/* More than a port was given: what it is short of must not become a number without a sign. */
static void gives_back_no_more_than_it_got(void **state)
{
	struct sl_fwd_port *port = &lab->worker.ports[0];
	struct sl_fwd_burst burst;

	(void)state;
	receive(&lab->kernel[0], 2);
	port->fill_out = 1;
	sl_fwd_burst_init(&burst, port);
	port->ops->rx_burst(port, &burst);
	assert_int_equal(burst.n, 1);
	assert_int_equal(lab->worker.umem.violations, 1);
	assert_int_equal(port->fill_out, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(forwards_all_buffers),
		TEST(a_burst_ends_with_a_packet),
		TEST(waits_for_the_tail),
		TEST(drops_a_packet_whole),
		TEST(fills_the_ring_to_the_end),
		TEST(drops_a_packet_without_an_end),
		TEST(a_cut_packet_is_reclaimed),
		TEST(a_lie_drops_its_packet),
		TEST(a_length_of_no_frame_is_a_lie),
		TEST(a_completion_that_lies_frees_nothing),
		TEST(gives_back_no_more_than_it_got),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
