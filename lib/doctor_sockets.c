// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The AF_XDP sockets of an interface, as `ss --xdp` lists them (sock_diag,
 * net/xdp/xsk_diag.c). The UMEM's device and queue tell whether zero-copy was
 * granted; a socket that shares a UMEM has that flag from it.
 */
#include "doctor_nic.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <linux/xdp_diag.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>

#ifndef AF_XDP
#define AF_XDP 44
#endif

/* The kernel's messages of a dump are at most 32 KiB. */
#define ANSWER_BYTES 32768

static int collect(const struct nlattr *attribute, void *data)
{
	const struct nlattr **of = data;

	if (mnl_attr_get_type(attribute) <= XDP_DIAG_MAX)
		of[mnl_attr_get_type(attribute)] = attribute;
	return MNL_CB_OK;
}

static int take_socket(const struct nlmsghdr *message, void *data)
{
	const struct nlattr *of[XDP_DIAG_MAX + 1] = { NULL };
	struct xdp_diag_info info;
	struct xdp_diag_umem umem = { 0 };
	struct sl_nic *nic = data;

	mnl_attr_parse(message, sizeof(struct xdp_diag_msg), collect, of);
	if (!of[XDP_DIAG_INFO] ||
	    mnl_attr_get_payload_len(of[XDP_DIAG_INFO]) < sizeof(info))
		return MNL_CB_OK;
	memcpy(&info, mnl_attr_get_payload(of[XDP_DIAG_INFO]), sizeof(info));
	if (of[XDP_DIAG_UMEM] &&
	    mnl_attr_get_payload_len(of[XDP_DIAG_UMEM]) >= sizeof(umem))
		memcpy(&umem, mnl_attr_get_payload(of[XDP_DIAG_UMEM]),
		       sizeof(umem));
	for (size_t i = 0; i < nic->queues.n; i++) {
		struct sl_nic_queue *queue = &nic->queues.items[i];

		if (info.ifindex != (uint32_t)nic->ifindex ||
		    queue->id != info.queue_id)
			continue;
		queue->socket = true;
		queue->zero_copy |= umem.flags & XDP_DU_F_ZEROCOPY;
	}
	return MNL_CB_OK;
}

static int dump(struct mnl_socket *socket, struct sl_nic *nic)
{
	char buffer[ANSWER_BYTES] __attribute__((aligned(8)));
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct xdp_diag_req *request;
	int ran = MNL_CB_OK;

	message->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	message->nlmsg_seq = 1;
	request = mnl_nlmsg_put_extra_header(message, sizeof(*request));
	request->sdiag_family = AF_XDP;
	request->xdiag_show = XDP_SHOW_INFO | XDP_SHOW_UMEM;
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(socket, message, message->nlmsg_len) < 0)
		return -errno;
	while (ran > MNL_CB_STOP) {
		ssize_t got =
			mnl_socket_recvfrom(socket, buffer, sizeof(buffer));

		if (got < 0)
			return -errno;
		ran = mnl_cb_run(buffer, (size_t)got, 1,
				 mnl_socket_get_portid(socket), take_socket,
				 nic);
	}
	return ran < 0 ? -errno : 0;
}

void sl_nic_read_sockets(struct sl_nic *nic)
{
	struct mnl_socket *socket =
		mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);

	if (!socket) {
		nic->sockets_err = -errno;
		return;
	}
	nic->sockets_err = dump(socket, nic);
	mnl_socket_close(socket);
}
