// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Reception is by a TPACKET_V2 ring: its slots are as long as a packet of 9,000 bytes needs, so
 * what comes late is dropped by the kernel where it can be counted (PACKET_STATISTICS), and no
 * system call is made for a packet. A slot is given back when its packet was copied to frames
 * of the UMEM; where there is no frame, it stays, and the ring is the queue.
 *
 * The kernel has taken the VLAN tag out of the packet, and left a checksum to a device that
 * there is not: both are put in again. See Documentation/networking/packet_mmap.rst.
 */
#include "port_packet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "port_copy.h"

#define SLOT_BYTES 16384u
/* A guess: as many slots as an AF_XDP ring has entries would be 32 MB a port. */
#define SLOTS 512u
/* Calls to send one burst: as port_xsk_tx.c's TX_TRIES, for the same reason. */
#define TX_TRIES 4
#define TAG_BYTES 4u
#define MACS_BYTES 12u

struct sl_fwd_packet_socket {
	int fd;
	uint8_t *ring;
	uint32_t next; /* slot */
};

static struct tpacket2_hdr *slot(const struct sl_fwd_packet_socket *socket)
{
	return (void *)(socket->ring + (size_t)socket->next * SLOT_BYTES);
}

/* Adds up to what CHECKSUM_PARTIAL left in the field: the pseudo header's sum. */
static bool checksum_complete(uint8_t *bytes, uint32_t len,
			      const struct virtio_net_hdr *offload)
{
	uint32_t at = offload->csum_start + offload->csum_offset;
	uint32_t sum = 0;
	uint16_t field;

	if (at + sizeof(field) > len)
		return false;
	for (uint32_t i = offload->csum_start; i < len; i++)
		sum += (i - offload->csum_start) % 2 ? bytes[i] :
						       (uint32_t)bytes[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	/* 0 means "none" to UDP; for TCP the two are equal. */
	field = htons(sum == 0xffff ? 0xffff : (uint16_t)~sum);
	memcpy(bytes + at, &field, sizeof(field));
	return true;
}

/* Moves the MAC addresses down; the slot has room before the packet, read by now. */
static uint8_t *tag_insert(uint8_t *bytes, const struct tpacket2_hdr *head)
{
	uint16_t tag[2] = { htons(head->tp_status & TP_STATUS_VLAN_TPID_VALID ?
					  head->tp_vlan_tpid :
					  ETH_P_8021Q),
			    htons(head->tp_vlan_tci) };

	memmove(bytes - TAG_BYTES, bytes, MACS_BYTES);
	memcpy(bytes - TAG_BYTES + MACS_BYTES, tag, sizeof(tag));
	return bytes - TAG_BYTES;
}

/* False: it stays where it is. */
static bool slot_take(struct sl_fwd_port *port, struct sl_fwd_burst *burst,
		      struct tpacket2_hdr *head)
{
	uint8_t *bytes = (uint8_t *)head + head->tp_mac;
	uint32_t len = head->tp_snaplen;
	struct virtio_net_hdr offload;

	memcpy(&offload, bytes - sizeof(offload), sizeof(offload));
	if (!len || head->tp_len > len ||
	    offload.gso_type != VIRTIO_NET_HDR_GSO_NONE) {
		sl_fwd_port_copy_drop(port, SL_FWD_DROP_TOO_LONG);
		return true;
	}
	if (burst->n == SL_BURST ||
	    SL_BURST - burst->n_bufs < SLOT_BYTES / SL_FRAME_BYTES + 1 ||
	    port->umem->count[SL_FRAME_FREE] < SLOT_BYTES / SL_FRAME_BYTES + 1)
		return false;
	if (offload.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM &&
	    !checksum_complete(bytes, len, &offload)) {
		sl_fwd_port_copy_drop(port, SL_FWD_DROP_INVALID);
		return true;
	}
	if (head->tp_status & TP_STATUS_VLAN_VALID) {
		bytes = tag_insert(bytes, head);
		len += TAG_BYTES;
	}
	return sl_fwd_burst_put(burst, bytes, len);
}

static bool slot_full(const struct tpacket2_hdr *head)
{
	return __atomic_load_n(&head->tp_status, __ATOMIC_ACQUIRE) &
	       TP_STATUS_USER;
}

static bool packet_ready(const struct sl_fwd_port *port)
{
	return slot_full(slot(port->socket));
}

static void packet_rx_burst(struct sl_fwd_port *port,
			    struct sl_fwd_burst *burst)
{
	struct sl_fwd_packet_socket *socket = port->socket;

	port->rx_idle = true;
	for (uint32_t i = 0; i < SL_BURST; i++) {
		struct tpacket2_hdr *head = slot(socket);

		if (!slot_full(head) || !slot_take(port, burst, head))
			break;
		__atomic_store_n(&head->tp_status, TP_STATUS_KERNEL,
				 __ATOMIC_RELEASE);
		socket->next = (socket->next + 1) % SLOTS;
		port->rx_idle = false;
	}
	sl_fwd_port_copy_received(port, burst);
}

/*
 * What the packet that could not be sent is dropped for; SL_FWD_KEEP: try it again. ENOBUFS is a
 * full queueing discipline, EAGAIN a full send buffer. An interface that is up again is said to
 * be down once more: the socket keeps that from when it went (packet_notifier()).
 */
static enum sl_fwd_drop tx_failed(struct sl_fwd_port *port, int err, int tries)
{
	port->down = err == ENETDOWN || err == ENXIO || err == ENODEV;
	if (port->down)
		return tries < 2 ? SL_FWD_KEEP : SL_FWD_DROP_LINK_DOWN;
	if (err == EMSGSIZE)
		return SL_FWD_DROP_TOO_LONG;
	return tries < TX_TRIES ? SL_FWD_KEEP : SL_FWD_DROP_TX_FULL;
}

/* PACKET_VNET_HDR wants one before each packet: nothing is left to the device. */
static struct virtio_net_hdr no_offload;

struct lot {
	struct mmsghdr message[SL_BURST];
	struct iovec vec[2 * SL_BURST];
	struct sl_fwd_packet *packet[SL_BURST];
	uint32_t n;
};

static void lot_fill(struct lot *lot, const struct sl_fwd_port *port,
		     struct sl_fwd_burst *burst, uint32_t from, uint32_t end)
{
	uint32_t n_vec = 0;

	lot->n = 0;
	for (uint32_t i = from; i < end; i++) {
		struct sl_fwd_packet *packet = &burst->packet[i];

		if (packet->drop != SL_FWD_KEEP)
			continue;
		lot->vec[n_vec] =
			(struct iovec){ .iov_base = &no_offload,
					.iov_len = sizeof(no_offload) };
		sl_fwd_burst_vector(burst, packet, port->umem,
				    &lot->vec[n_vec + 1]);
		lot->message[lot->n].msg_hdr =
			(struct msghdr){ .msg_iov = &lot->vec[n_vec],
					 .msg_iovlen = packet->n_bufs + 1u };
		lot->packet[lot->n++] = packet;
		n_vec += packet->n_bufs + 1u;
	}
}

static void packet_tx_burst(struct sl_fwd_port *port,
			    struct sl_fwd_burst *burst, uint32_t from,
			    uint32_t end, uint64_t now_ns)
{
	bool link = __atomic_load_n(&port->link, __ATOMIC_RELAXED);
	struct lot lot;
	uint32_t done = 0;
	int tries = 0;

	(void)now_ns;
	lot_fill(&lot, port, burst, from, end);
	while (done < lot.n && link) {
		int n = sendmmsg(port->socket->fd, &lot.message[done],
				 lot.n - done, MSG_DONTWAIT);
		int err = errno;

		sl_count_add(&port->count.wake_tx, 1);
		for (int i = 0; i < n; i++)
			sl_fwd_port_copy_sent(port, burst, lot.packet[done++]);
		if (n > 0) {
			port->down = false;
			continue;
		}
		lot.packet[done]->drop = (uint8_t)tx_failed(port, err, ++tries);
		if (lot.packet[done]->drop == SL_FWD_KEEP)
			continue;
		/* The next ones are tried once each: a queue that was full may not be now. */
		done++;
		link = !port->down;
	}
	for (; done < lot.n; done++)
		lot.packet[done]->drop = SL_FWD_DROP_LINK_DOWN;
}

static int packet_fd(const struct sl_fwd_port *port)
{
	return port->socket->fd;
}

/* Reading PACKET_STATISTICS sets it to 0. */
static void packet_stats(struct sl_fwd_port *port)
{
	struct tpacket_stats stats;
	socklen_t length = sizeof(stats);

	if (!getsockopt(port->socket->fd, SOL_PACKET, PACKET_STATISTICS, &stats,
			&length))
		port->kernel.rx_dropped += stats.tp_drops;
}

static void socket_free(struct sl_fwd_packet_socket *socket)
{
	if (socket->ring)
		munmap(socket->ring, (size_t)SLOTS * SLOT_BYTES);
	if (socket->fd >= 0)
		close(socket->fd);
	free(socket);
}

static void packet_close(struct sl_fwd_port *port)
{
	if (port->socket)
		socket_free(port->socket);
	port->socket = NULL;
}

static const struct sl_fwd_port_ops packet_ops = {
	.name = "packet",
	.ready = packet_ready,
	.rx_burst = packet_rx_burst,
	.tx_burst = packet_tx_burst,
	.reap = sl_fwd_port_copy_none,
	.refill = sl_fwd_port_copy_none,
	.pending = sl_fwd_port_copy_pending,
	.kick = sl_fwd_port_copy_kick,
	.rx_wake = sl_fwd_port_copy_rx_wake,
	.fd = packet_fd,
	.stats = packet_stats,
	.reclaim = sl_fwd_port_copy_none,
	.close = packet_close,
};

static int option_set(int fd, int option, const void *value, socklen_t bytes)
{
	return setsockopt(fd, SOL_PACKET, option, value, bytes) ? -errno : 0;
}

static int socket_setup(struct sl_fwd_packet_socket *socket, int ifindex)
{
	const struct tpacket_req request = { .tp_block_size = SLOT_BYTES,
					     .tp_block_nr = SLOTS,
					     .tp_frame_size = SLOT_BYTES,
					     .tp_frame_nr = SLOTS };
	const struct sockaddr_ll address = { .sll_family = AF_PACKET,
					     .sll_protocol = htons(ETH_P_ALL),
					     .sll_ifindex = ifindex };
	const int version = TPACKET_V2, on = 1;
	int err;

	if ((err = option_set(socket->fd, PACKET_VERSION, &version,
			      sizeof(version))) ||
	    (err = option_set(socket->fd, PACKET_VNET_HDR, &on, sizeof(on))) ||
	    (err = option_set(socket->fd, PACKET_IGNORE_OUTGOING, &on,
			      sizeof(on))) ||
	    (err = option_set(socket->fd, PACKET_RX_RING, &request,
			      sizeof(request))))
		return err;
	socket->ring = mmap(NULL, (size_t)SLOTS * SLOT_BYTES,
			    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
			    socket->fd, 0);
	if (socket->ring == MAP_FAILED) {
		socket->ring = NULL;
		return -errno;
	}
	/* Last: nothing comes before there is a ring for it. */
	return bind(socket->fd, (const struct sockaddr *)&address,
		    sizeof(address)) ?
		       -errno :
		       0;
}

int sl_fwd_port_packet_open(struct sl_fwd_port *port, int ifindex)
{
	struct sl_fwd_packet_socket *new = calloc(1, sizeof(*new));
	int err;

	if (!new)
		return -ENOMEM;
	/* Protocol 0: it receives nothing yet. */
	new->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	err = new->fd < 0 ? -errno : socket_setup(new, ifindex);
	if (err) {
		socket_free(new);
		return err;
	}
	port->socket = new;
	port->ops = &packet_ops;
	return 0;
}
