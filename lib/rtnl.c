// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "rtnl.h"

#include <errno.h>
#include <linux/rtnetlink.h>

/* A link's answer is the longest: a kilobyte or two, more with virtual functions. */
#define ANSWER_BYTES 32768

static int ask(struct mnl_socket *socket, struct nlmsghdr *question,
	       mnl_cb_t answer, void *context)
{
	char buffer[ANSWER_BYTES]
		__attribute__((aligned(__alignof__(struct nlmsghdr))));
	ssize_t n;

	question->nlmsg_flags = NLM_F_REQUEST;
	question->nlmsg_seq = 1;
	if (mnl_socket_sendto(socket, question, question->nlmsg_len) < 0)
		return -errno;
	n = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
	if (n < 0)
		return -errno;
	return mnl_cb_run(buffer, (size_t)n, 1, mnl_socket_get_portid(socket),
			  answer, context) < 0 ?
		       -errno :
		       0;
}

int sl_rtnl_ask(struct nlmsghdr *question, mnl_cb_t answer, void *context)
{
	struct mnl_socket *socket =
		mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	int err;

	if (!socket)
		return -errno;
	err = mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ?
		      -errno :
		      ask(socket, question, answer, context);
	mnl_socket_close(socket);
	return err;
}
