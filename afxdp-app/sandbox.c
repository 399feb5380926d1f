// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The list is short because it comes last: when it is installed the files are open, the sockets
 * bound, the stages loaded and the threads running. It allows what moves packets and copies,
 * what waits, memory (never executable), and what ends threads and process; no call that
 * opens, names or creates anything outside the process.
 */
#include "sandbox.h"

#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "channel.h"
#include "lib/confine.h"

int sl_sandbox_enter(bool *landlock)
{
	return sl_confine_enter(landlock);
}

static const int allowed[] = {
	/* Packets: rings, kicks, copies; their counters. */
	SCMP_SYS(sendto), SCMP_SYS(recvfrom), SCMP_SYS(sendmmsg),
	SCMP_SYS(getsockopt),
	/* The agent's messages, eventfds, captures, statistics, messages to the operator. */
	SCMP_SYS(sendmsg), SCMP_SYS(recvmsg), SCMP_SYS(read), SCMP_SYS(write),
	SCMP_SYS(writev), SCMP_SYS(lseek), SCMP_SYS(ftruncate), SCMP_SYS(fstat),
	SCMP_SYS(newfstatat), SCMP_SYS(fcntl), SCMP_SYS(close),
	/* Waiting, and the time where the vDSO cannot tell it. */
	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(futex), SCMP_SYS(nanosleep),
	SCMP_SYS(clock_nanosleep), SCMP_SYS(clock_gettime),
	SCMP_SYS(gettimeofday), SCMP_SYS(sched_yield),
	SCMP_SYS(restart_syscall),
	/* Memory: malloc() of statistics, blocks of a capture; also mmap() below. */
	SCMP_SYS(munmap), SCMP_SYS(madvise), SCMP_SYS(brk), SCMP_SYS(mremap),
	SCMP_SYS(getrandom),
	/* Threads that begin or end, and the process's end. */
	SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(exit), SCMP_SYS(exit_group),
	SCMP_SYS(getpid), SCMP_SYS(gettid)
};

/* A signal handler gets no argument of ours. Written once, before the filter stands. */
static int refused_channel = -1;

static void refused(int number, siginfo_t *info, void *context)
{
	const struct sl_channel_message message = { .type = SL_CHANNEL_REFUSED,
						    .value = info->si_syscall };

	(void)number;
	(void)context;
	sl_channel_send(refused_channel, &message, -1);
	/* Not _exit(): what hooks into that (a sanitizer does) is refused, too. */
	syscall(__NR_exit_group, SL_SANDBOX_REFUSED);
}

int sl_sandbox_seal(int channel)
{
	/*
	 * A signal instead of an end on the spot: the call is not carried out either way, and
	 * sigaction() itself is not on the list, so that the handler stays.
	 */
	const struct sigaction action = { .sa_sigaction = refused,
					  .sa_flags = SA_SIGINFO };
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);
	int err;

	if (!filter)
		return -ENOMEM;
	refused_channel = channel;
	err = sigaction(SIGSYS, &action, NULL) ? -errno : 0;
	if (!err)
		err = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (!err)
		err = sl_confine_allow(filter, allowed,
				       sizeof(allowed) / sizeof(allowed[0]));
	if (!err)
		err = seccomp_load(filter);
	seccomp_release(filter);
	return err;
}
