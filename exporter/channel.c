// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
	char bytes[CMSG_SPACE(sizeof(int))];
	struct cmsghdr header; /* for its alignment */
};

int sl_exporter_ask(int fd, const struct sl_question *question)
{
	ssize_t n = send(fd, question, sizeof(*question), MSG_NOSIGNAL);

	return n == (ssize_t)sizeof(*question) ? 0 : n < 0 ? -errno : -EIO;
}

int sl_exporter_asked(int fd, struct sl_question *question)
{
	ssize_t n = recv(fd, question, sizeof(*question), 0);

	if (n == (ssize_t)sizeof(*question))
		return 0;
	return n < 0 ? -errno : -EPIPE;
}

int sl_exporter_answer(int fd, const struct sl_answer *answer, int text_fd)
{
	struct iovec part = { (void *)answer, sizeof(*answer) };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	union control control = { 0 };
	struct cmsghdr *header;
	ssize_t n;

	if (text_fd >= 0) {
		message.msg_control = control.bytes;
		message.msg_controllen = sizeof(control.bytes);
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(text_fd));
		memcpy(CMSG_DATA(header), &text_fd, sizeof(text_fd));
	}
	n = sendmsg(fd, &message, MSG_NOSIGNAL);
	return n == (ssize_t)sizeof(*answer) ? 0 : n < 0 ? -errno : -EIO;
}

int sl_exporter_answered(int fd, struct sl_answer *answer, int *text_fd)
{
	struct iovec part = { answer, sizeof(*answer) };
	union control control;
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = sizeof(control.bytes) };
	ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *header;
	int got = -1;

	if (n <= 0)
		return n < 0 ? -errno : -EPIPE;
	header = CMSG_FIRSTHDR(&message);
	if (header && header->cmsg_level == SOL_SOCKET &&
	    header->cmsg_type == SCM_RIGHTS)
		memcpy(&got, CMSG_DATA(header), sizeof(got));
	if (n != (ssize_t)sizeof(*answer)) {
		if (got >= 0)
			close(got);
		return -EPROTO;
	}
	*text_fd = got;
	return 0;
}
