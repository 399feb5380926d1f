// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The back ends that copy. pcap: files through a worker. packet: a wire between two veth pairs, in
 * a network namespace of its own, which ends with the process:
 *
 *   out0 ---- in0 [worker] in1 ---- out1
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "afxdp-app/port_packet.h"
#include "afxdp-app/port_pcap.h"
#include "afxdp-app/worker.h"

#define FRAMES (2 * SL_PORT_FRAMES + SL_BURST)
#define FRAME_MAX 9018u

static struct sl_fwd_worker worker;

static int setup(void **state)
{
	(void)state;
	if (sl_fwd_worker_init(&worker, 2))
		return -1;
	for (int i = 0; i < 2; i++) {
		worker.ports[i].umem = &worker.umem;
		worker.ports[i].peer = &worker.ports[!i];
		worker.ports[i].link = true;
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	sl_fwd_worker_fini(&worker);
	return 0;
}

static void rounds(int n)
{
	for (int i = 0; i < n; i++)
		sl_fwd_worker_round(&worker, 1000000ull * (uint64_t)(i + 1));
	assert_true(sl_umem_audit(&worker.umem));
	assert_int_equal(worker.umem.count[SL_FRAME_FREE], FRAMES);
}

static uint64_t drops(int port, enum sl_fwd_drop reason)
{
	return worker.ports[port].count.drops[reason];
}

/* ---- pcap ---------------------------------------------------------------- */

struct record {
	uint32_t sec, usec, caplen, len;
};

static const uint32_t file_head[6] = {
	0xa1b2c3d4, 4 << 16 | 2, 0, 0, 262144, 1
};

static void frame_make(uint8_t *frame, uint32_t number, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		frame[i] = (uint8_t)(number * 31 + i * 7 + i / 256);
}

static uint32_t frame_bytes(uint32_t number)
{
	return 60 + number * 977 % 8900;
}

/* `n` frames of all sizes, and one that was captured only in part. */
static void file_write(const char *path, uint32_t n)
{
	FILE *file = fopen(path, "w");
	uint8_t frame[FRAME_MAX];
	struct record head;

	assert_non_null(file);
	fwrite(file_head, sizeof(file_head), 1, file);
	for (uint32_t i = 0; i < n; i++) {
		head.caplen = head.len = frame_bytes(i);
		head.sec = head.usec = i;
		frame_make(frame, i, head.len);
		fwrite(&head, sizeof(head), 1, file);
		fwrite(frame, head.len, 1, file);
	}
	head.caplen = 60;
	head.len = 1500;
	fwrite(&head, sizeof(head), 1, file);
	fwrite(frame, head.caplen, 1, file);
	assert_int_equal(fclose(file), 0);
}

static void file_check(const char *path, uint32_t n)
{
	FILE *file = fopen(path, "r");
	uint8_t want[FRAME_MAX], got[FRAME_MAX];
	uint32_t file_head_got[6];
	struct record head;

	assert_non_null(file);
	assert_int_equal(fread(file_head_got, sizeof(file_head_got), 1, file),
			 1);
	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(fread(&head, sizeof(head), 1, file), 1);
		assert_int_equal(head.caplen, frame_bytes(i));
		assert_int_equal(fread(got, head.caplen, 1, file), 1);
		frame_make(want, i, head.caplen);
		assert_memory_equal(got, want, head.caplen);
	}
	assert_int_equal(fread(&head, 1, 1, file), 0);
	fclose(file);
}

static void replays_a_file(void **state)
{
	char dir[] = "/tmp/sluice-pcap-XXXXXX", in[64], out[64];

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(in, sizeof(in), "%s/in", dir);
	snprintf(out, sizeof(out), "%s/out", dir);
	file_write(in, 1000);
	assert_int_equal(sl_fwd_port_pcap_open(&worker.ports[0], in, NULL), 0);
	assert_int_equal(sl_fwd_port_pcap_open(&worker.ports[1], NULL, out), 0);
	for (int i = 0; i < 200 && !sl_fwd_port_pcap_ended(&worker.ports[0]);
	     i++)
		rounds(1);
	assert_int_equal(worker.ports[0].count.rx_packets, 1001);
	assert_int_equal(worker.ports[1].count.tx_packets, 1000);
	assert_int_equal(drops(0, SL_FWD_DROP_TOO_LONG), 1);
	worker.ports[1].ops->close(&worker.ports[1]);
	file_check(out, 1000);
	unlink(in);
	unlink(out);
	rmdir(dir);
}

static void a_file_that_is_none_is_refused(void **state)
{
	struct sl_fwd_port *port = &worker.ports[0];

	(void)state;
	assert_int_equal(sl_fwd_port_pcap_open(port, "/nonexistent", NULL),
			 -ENOENT);
	assert_int_equal(sl_fwd_port_pcap_open(port, "/dev/null", NULL),
			 -EINVAL);
	assert_int_equal(sl_fwd_port_pcap_open(port, NULL, "/dev/null/x"),
			 -ENOTDIR);
	assert_ptr_equal(port->ops, &sl_fwd_port_xsk);
	assert_null(port->pcap);
}

/* A disk that is full: what is not written is a counted drop, and the worker goes on. */
static void a_full_disk_drops(void **state)
{
	char path[] = "/tmp/sluice-pcap-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	file_write(path, 500);
	assert_int_equal(sl_fwd_port_pcap_open(&worker.ports[0], path, NULL),
			 0);
	assert_int_equal(
		sl_fwd_port_pcap_open(&worker.ports[1], NULL, "/dev/full"), 0);
	rounds(100);
	assert_true(drops(1, SL_FWD_DROP_TX_FULL) > 490);
	assert_int_equal(drops(1, SL_FWD_DROP_TX_FULL) +
				 worker.ports[1].count.tx_packets,
			 500);
	unlink(path);
}

/* ---- packet -------------------------------------------------------------- */

static bool have_net;

static void net_make(void)
{
	have_net =
		!unshare(CLONE_NEWNET) &&
		!system("ip link add out0 mtu 9000 type veth peer name in0 mtu 9000 && "
			"ip link add out1 mtu 9000 type veth peer name in1 mtu 9000 && "
			"for d in out0 in0 in1 out1; do "
			"ip link set $d addrgenmode none up || exit 1; done");
}

static int raw_socket(const char *dev)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET,
				       .sll_protocol = htons(ETH_P_ALL),
				       .sll_ifindex =
					       (int)if_nametoindex(dev) };
	struct timeval second = { .tv_sec = 1 };
	int fd = socket(AF_PACKET, SOCK_RAW, 0), on = 1;

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second,
				    sizeof(second)),
			 0);
	assert_int_equal(
		setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (void *)&address, sizeof(address)), 0);
	return fd;
}

static void wire_open(void)
{
	if (!have_net)
		skip(); /* needs root: a network namespace and its devices */
	assert_int_equal(sl_fwd_port_packet_open(&worker.ports[0],
						 (int)if_nametoindex("in0")),
			 0);
	assert_int_equal(sl_fwd_port_packet_open(&worker.ports[1],
						 (int)if_nametoindex("in1")),
			 0);
}

/* Rounds until the port has received `packets`, for a second at most. */
static void rounds_until(uint64_t packets)
{
	const struct sl_fwd_counters *count = &worker.ports[0].count;

	for (int i = 0; i < 1000 && count->rx_packets < packets; i++) {
		rounds(1);
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	assert_int_equal(count->rx_packets, packets);
}

static void forwards_by_packet_sockets(void **state)
{
	uint8_t want[FRAME_MAX], got[FRAME_MAX];
	int from, to;

	(void)state;
	wire_open();
	from = raw_socket("out0");
	to = raw_socket("out1");
	for (uint32_t i = 0; i < 300; i++) {
		uint32_t len = frame_bytes(i);

		frame_make(want, i, len);
		want[12] = 0x88; /* an experimental ethertype */
		want[13] = 0xb5;
		assert_int_equal(send(from, want, len, 0), len);
		rounds_until(i + 1);
		assert_int_equal(recv(to, got, sizeof(got), 0), len);
		assert_memory_equal(got, want, len);
	}
	/* What it sends does not come in again. */
	rounds(10);
	assert_int_equal(worker.ports[1].count.rx_packets, 0);
	assert_int_equal(worker.ports[1].count.tx_packets, 300);
	close(from);
	close(to);
}

/* The kernel takes a tag out; on the wire it is there again. */
static void keeps_the_vlan_tag(void **state)
{
	uint8_t frame[64] = { 2, 0, 0, 0,    0, 1,    2,    0,	  0,
			      0, 0, 2, 0x81, 0, 0x60, 0x07, 0x88, 0xb5 };
	char control[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	uint8_t got[128];
	struct iovec vec = { .iov_base = got, .iov_len = sizeof(got) };
	struct msghdr message = { .msg_iov = &vec,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct tpacket_auxdata data;
	int from, to;

	(void)state;
	wire_open();
	from = raw_socket("out0");
	to = raw_socket("out1");
	assert_int_equal(send(from, frame, sizeof(frame), 0), sizeof(frame));
	rounds_until(1);
	assert_int_equal(worker.ports[0].count.rx_bytes, sizeof(frame));
	assert_int_equal(recvmsg(to, &message, 0), sizeof(frame) - 4);
	memcpy(&data, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(data));
	assert_int_equal(data.tp_vlan_tci, 0x6007);
	assert_int_equal(got[13], 0xb5);
	close(from);
	close(to);
}

/* Without a reader the ring fills: what the kernel then drops is counted. */
static void counts_what_the_kernel_drops(void **state)
{
	uint8_t frame[60] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5 };
	struct sl_fwd_port *port = &worker.ports[0];
	int from;

	(void)state;
	wire_open();
	from = raw_socket("out0");
	for (int i = 0; i < 2000; i++)
		assert_int_equal(send(from, frame, sizeof(frame), 0),
				 sizeof(frame));
	for (int i = 0; i < 1000; i++) {
		port->ops->stats(port);
		rounds(1);
		if (port->count.rx_packets + port->kernel.rx_dropped == 2000)
			break;
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	assert_int_equal(port->count.rx_packets + port->kernel.rx_dropped,
			 2000);
	assert_true(port->kernel.rx_dropped > 1000);
	close(from);
}

static void a_link_that_is_down_drops(void **state)
{
	uint8_t frame[60] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5 };
	int from;

	(void)state;
	wire_open();
	from = raw_socket("out0");
	assert_int_equal(system("ip link set in1 down"), 0);
	for (int i = 0; i < 10; i++)
		assert_int_equal(send(from, frame, sizeof(frame), 0),
				 sizeof(frame));
	rounds_until(10);
	assert_int_equal(drops(1, SL_FWD_DROP_LINK_DOWN), 10);
	assert_int_equal(system("ip link set in1 up"), 0);
	send(from, frame, sizeof(frame), 0);
	rounds_until(11);
	assert_int_equal(worker.ports[1].count.tx_packets, 1);
	close(from);
}

/* The socket keeps the error until it is asked for it; asked in vain, a worker never sleeps. */
static void sleeps_although_a_link_went(void **state)
{
	cpu_set_t cpus;

	(void)state;
	wire_open();
	assert_int_equal(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
	for (worker.cpu = 0; !CPU_ISSET((unsigned int)worker.cpu, &cpus);)
		worker.cpu++;
	assert_int_equal(sl_fwd_worker_start(&worker), 0);
	assert_int_equal(system("ip link set in1 down"), 0);
	nanosleep(&(struct timespec){ .tv_nsec = 300000000 }, NULL);
	sl_fwd_worker_stop(&worker);
	/* Three sleeps of 100 ms, and a few for what the kernel sends on a new link. */
	assert_true(worker.count_poll < 100);
	assert_int_equal(system("ip link set in1 up"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(replays_a_file),
		TEST(a_file_that_is_none_is_refused),
		TEST(a_full_disk_drops),
		TEST(forwards_by_packet_sockets),
		TEST(keeps_the_vlan_tag),
		TEST(counts_what_the_kernel_drops),
		TEST(a_link_that_is_down_drops),
		TEST(sleeps_although_a_link_went),
	};

	net_make();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
