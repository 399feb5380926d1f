// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "signals.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* Messages read in one wait: a flood of link changes must not keep us from the signals. */
#define LINK_MESSAGES_MAX 64

static int link_open(void)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK,
				       .nl_groups = RTMGRP_LINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			NETLINK_ROUTE);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

int sl_fwd_signals_open(struct sl_fwd_signals *signals)
{
	sigset_t set;
	int err;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGHUP);
	err = pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (err)
		return -err;
	/* A reader of the statistics that went away must not cost us the accounting. */
	signal(SIGPIPE, SIG_IGN);
	/* A capture at its RLIMIT_FSIZE shall get EFBIG; the data plane inherits this. */
	signal(SIGXFSZ, SIG_IGN);
	signals->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals->signal_fd < 0)
		return -errno;
	signals->link_fd = link_open();
	return 0;
}

void sl_fwd_signals_close(struct sl_fwd_signals *signals)
{
	close(signals->signal_fd);
	if (signals->link_fd >= 0)
		close(signals->link_fd);
}

static void signals_read(int fd, struct sl_fwd_events *events)
{
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGUSR1)
			events->statistics = true;
		else if (info.ssi_signo == SIGHUP)
			events->reload = true;
		else
			events->stop = true;
	}
}

/* The content does not matter, nor does an overrun: the state is looked up afresh. */
static void links_read(int fd, struct sl_fwd_events *events)
{
	char message[8192];

	for (int i = 0; i < LINK_MESSAGES_MAX; i++) {
		if (recv(fd, message, sizeof(message), MSG_DONTWAIT) < 0 &&
		    errno != ENOBUFS)
			return;
		events->link = true;
	}
}

void sl_fwd_signals_read(struct sl_fwd_signals *signals,
			 struct sl_fwd_events *events)
{
	memset(events, 0, sizeof(*events));
	signals_read(signals->signal_fd, events);
	if (signals->link_fd >= 0)
		links_read(signals->link_fd, events);
}
