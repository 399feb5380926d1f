// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The list is short because it comes last: when it is installed the files are open, the sockets
 * bound, the stages loaded and the threads running. It allows what moves packets and copies,
 * what waits, memory (never executable), and what ends threads and process; no call that
 * opens, names or creates anything outside the process.
 */
#include "sandbox.h"

#include <errno.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "channel.h"
#include "privileges.h"

/*
 * struct landlock_ruleset_attr as of ABI 6 (Linux 6.12); Debian 12's is ABI 1. An older kernel
 * takes the longer one while what it does not know is 0.
 */
struct ruleset {
	uint64_t fs, net, scoped;
};

/* Bits by ABI (include/uapi/linux/landlock.h): each version added at the top. */
static struct ruleset ruleset_all(long abi)
{
	static const uint8_t fs_bits[] = { 13, 14, 15, 15, 16 };
	const long known = (long)sizeof(fs_bits);

	return (struct ruleset){
		.fs = (1ull << fs_bits[(abi < known ? abi : known) - 1]) - 1,
		.net = abi >= 4 ? 3 : 0,    /* bind and connect, TCP */
		.scoped = abi >= 6 ? 3 : 0, /* abstract sockets, signals */
	};
}

/* A ruleset without a rule: nothing of what it handles is allowed. */
static int landlock_enter(bool *landlock)
{
	long abi = syscall(__NR_landlock_create_ruleset, NULL, 0,
			   LANDLOCK_CREATE_RULESET_VERSION);
	struct ruleset all;
	int fd, err = 0;

	*landlock = abi >= 1;
	if (!*landlock)
		return 0;
	all = ruleset_all(abi);
	fd = (int)syscall(__NR_landlock_create_ruleset, &all, sizeof(all), 0);
	if (fd < 0)
		return -errno;
	if (syscall(__NR_landlock_restrict_self, fd, 0))
		err = -errno;
	close(fd);
	return err;
}

int sl_sandbox_enter(bool *landlock)
{
	int err = sl_fwd_privileges_none();

	return err ? err : landlock_enter(landlock);
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

static int rules_add(scmp_filter_ctx filter)
{
	int err = 0;

	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]) && !err;
	     i++)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	/* Memory that is never executed. */
	if (!err)
		err = seccomp_rule_add(
			filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
			SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (!err)
		err = seccomp_rule_add(
			filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
			SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	/* abort(): an assertion that fails shall be seen as one. */
	if (!err)
		err = seccomp_rule_add(
			filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
			SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
	return err;
}

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
		err = rules_add(filter);
	if (!err)
		err = seccomp_load(filter);
	seccomp_release(filter);
	return err;
}
