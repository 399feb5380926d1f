// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "seal.h"

#include <errno.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "lib/confine.h"

static const int allowed[] = {
	/* Clients: they come, are read, are answered, go. */
	SCMP_SYS(accept4), SCMP_SYS(accept), SCMP_SYS(recvfrom),
	SCMP_SYS(sendto), SCMP_SYS(sendmsg), SCMP_SYS(writev),
	SCMP_SYS(shutdown), SCMP_SYS(setsockopt), SCMP_SYS(getsockopt),
	SCMP_SYS(getsockname), SCMP_SYS(fcntl), SCMP_SYS(close),
	/* The reader's texts; libmicrohttpd's eventfd; what stderr is told. */
	SCMP_SYS(recvmsg), SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),
	/* Waiting, and the time where the vDSO cannot tell it. */
	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_ctl), SCMP_SYS(clock_gettime),
	SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(restart_syscall),
	SCMP_SYS(futex),
	/* Memory; also mmap() without execution, in sl_confine_allow(). */
	SCMP_SYS(munmap), SCMP_SYS(madvise), SCMP_SYS(brk), SCMP_SYS(mremap),
	SCMP_SYS(getrandom),
	/* The end. */
	SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(getpid),
	SCMP_SYS(gettid), SCMP_SYS(exit), SCMP_SYS(exit_group)
};

int sl_seal(void)
{
	scmp_filter_ctx filter;
	bool landlock;
	int err;

	/* The time zone's file is read at the first date, which every response has. */
	tzset();
	err = sl_confine_enter(&landlock);
	if (err)
		return err;
	filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (!filter)
		return -ENOMEM;
	err = sl_confine_allow(filter, allowed,
			       sizeof(allowed) / sizeof(allowed[0]));
	if (!err)
		err = seccomp_load(filter);
	seccomp_release(filter);
	return err;
}
