// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "channel.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union ancillary {
	char bytes[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

int sl_channel_open(int ends[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) ?
		       -errno :
		       0;
}

int sl_channel_send(int end, const struct sl_channel_message *message, int fd)
{
	struct iovec bytes = { .iov_base = (void *)message,
			       .iov_len = sizeof(*message) };
	struct msghdr header = { .msg_iov = &bytes, .msg_iovlen = 1 };
	union ancillary ancillary = { 0 };
	ssize_t n;

	if (fd >= 0) {
		struct cmsghdr *part;

		header.msg_control = &ancillary;
		header.msg_controllen = sizeof(ancillary);
		part = CMSG_FIRSTHDR(&header);
		part->cmsg_level = SOL_SOCKET;
		part->cmsg_type = SCM_RIGHTS;
		part->cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(part), &fd, sizeof(fd));
	}
	/* The buffer holds hundreds of messages: who does not read them is stuck. */
	n = sendmsg(end, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0)
		return -errno;
	return n == sizeof(*message) ? 0 : -EPROTO;
}

/* The descriptor beside a message, or -1. */
static int descriptor(struct msghdr *header)
{
	struct cmsghdr *part = CMSG_FIRSTHDR(header);
	int fd;

	if (!part || part->cmsg_level != SOL_SOCKET ||
	    part->cmsg_type != SCM_RIGHTS ||
	    part->cmsg_len != CMSG_LEN(sizeof(fd)))
		return -1;
	memcpy(&fd, CMSG_DATA(part), sizeof(fd));
	return fd;
}

int sl_channel_receive(int end, int timeout_ms,
		       struct sl_channel_message *message, int *fd)
{
	struct iovec bytes = { .iov_base = message,
			       .iov_len = sizeof(*message) };
	union ancillary ancillary = { 0 };
	struct msghdr header = { .msg_iov = &bytes,
				 .msg_iovlen = 1,
				 .msg_control = &ancillary,
				 .msg_controllen = sizeof(ancillary) };
	struct pollfd readable = { .fd = end, .events = POLLIN };
	int came, ready = poll(&readable, 1, timeout_ms);
	ssize_t n;

	if (ready < 0)
		return -errno;
	if (!ready)
		return -ETIMEDOUT;
	n = recvmsg(end, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	/* Told once, if it left messages of ours unread: before what it has said last. */
	if (n < 0 && errno == ECONNRESET)
		n = recvmsg(end, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (n < 0)
		return -errno;
	came = descriptor(&header);
	if (n != sizeof(*message) || !fd) {
		if (came >= 0)
			close(came);
		came = -1;
	}
	if (fd)
		*fd = came;
	if (!n)
		return -EPIPE;
	return n == sizeof(*message) ? 0 : -EPROTO;
}
