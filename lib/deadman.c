// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "deadman.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "error.h"

#define NAP_MS 1000
#define HANGS_NS 60000000000ull

/* Where its descriptors are; nothing else is open. */
enum { HOLD = 3, TOLD, KEPT, FREE };

/* It counts the time asleep, too: what a person means by a minute. */
static uint64_t boot_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int ms_until(uint64_t due_ns)
{
	uint64_t now_ns = boot_ns();

	return due_ns > now_ns ? (int)((due_ns - now_ns) / 1000000 + 1) : 0;
}

/*
 * The end of *hold comes when the change is written down, or who makes it is dead.
 * Before that nothing is undone, even if it is due: it would go on behind that. One
 * that hangs for so long has the lock still, and undo() will say so.
 */
static void wait_for_apply(int hold, uint64_t due_ns)
{
	struct pollfd end = { .fd = hold, .events = POLLIN };

	while (poll(&end, 1, ms_until(due_ns + HANGS_NS)) < 0 && errno == EINTR)
		;
	close(hold);
}

static bool wait_until_due(const struct sl_deadman *deadman, uint64_t due_ns)
{
	for (int left; (left = ms_until(due_ns)) > 0;) {
		if (!deadman->is_needed(KEPT, due_ns))
			return false;
		poll(NULL, 0, left < NAP_MS ? left : NAP_MS);
	}
	return true;
}

/* Above all not the lock, which is free when its last descriptor goes. */
static void leave_session(int hold, int told, int keep)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;

	setsid();
	if (chdir("/"))
		_exit(1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int fd = 0; fd < HOLD; fd++)
		dup2(null, fd);
	hold = fcntl(hold, F_DUPFD_CLOEXEC, FREE);
	told = fcntl(told, F_DUPFD_CLOEXEC, FREE);
	keep = keep < 0 ? null : fcntl(keep, F_DUPFD_CLOEXEC, FREE);
	if (dup2(hold, HOLD) < 0 || dup2(told, TOLD) < 0 ||
	    dup2(keep, KEPT) < 0)
		_exit(1);
	closefrom(FREE);
}

static void run_guard(const struct sl_deadman *deadman, int hold, int told,
		      uint64_t due_ns)
{
	pid_t self = getpid();

	leave_session(hold, told, deadman->keep);
	/* Now, so that the lock is free when the change is made. */
	if (write(TOLD, &self, sizeof(self)) != sizeof(self))
		_exit(1);
	close(TOLD);
	openlog("sluice", LOG_PID, LOG_DAEMON);
	wait_for_apply(HOLD, due_ns);
	if (wait_until_due(deadman, due_ns))
		deadman->undo(KEPT, due_ns);
	_exit(0);
}

/* The guard is nobody's child here: it tells its pid through the pipe. */
static int start(const struct sl_deadman *deadman, uint64_t due_ns, int hold[2],
		 int *guard)
{
	int told[2], status = 0;
	pid_t child;

	if (pipe2(told, O_CLOEXEC))
		return -errno;
	child = fork();
	if (child == 0) {
		pid_t pid = fork();

		close(hold[1]);
		if (pid == 0)
			run_guard(deadman, hold[0], told[1], due_ns);
		_exit(pid < 0);
	}
	close(told[1]);
	*guard = 0;
	if (child < 0 || waitpid(child, &status, 0) < 0 || status ||
	    read(told[0], guard, sizeof(*guard)) != sizeof(*guard))
		*guard = 0;
	close(told[0]);
	return *guard ? 0 : -EAGAIN;
}

int sl_deadman_start(const struct sl_deadman *deadman, unsigned long seconds,
		     struct sl_deadman_watch *watch, struct sl_error *error)
{
	uint64_t due_ns = boot_ns() + seconds * 1000000000ull;
	int ends[2], pid = 0;
	int err = pipe2(ends, O_CLOEXEC) ? -errno : 0;

	if (!err) {
		err = start(deadman, due_ns, ends, &pid);
		close(ends[0]);
		if (err)
			close(ends[1]);
	}
	if (err)
		return sl_error_set(error, err,
				    "--confirm: start the process that would "
				    "undo it: %s; nothing was changed",
				    strerror(-err));
	*watch = (struct sl_deadman_watch){ due_ns, pid, ends[1] };
	return 0;
}

long sl_deadman_seconds_left(uint64_t due_ns)
{
	return ((long)(due_ns / 1000000) - (long)(boot_ns() / 1000000)) / 1000;
}

bool sl_deadman_runs(int pid)
{
	return pid > 0 && (kill(pid, 0) == 0 || errno == EPERM);
}
