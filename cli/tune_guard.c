// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "tune_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "lib/error.h"
#include "lib/lock.h"
#include "lib/tune.h"

/* An apply or undo that is going on; longer, and something hangs. */
#define LOCK_WAIT_MS 60000
#define NAP_MS 1000

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

/* Without the lock: the journal is replaced whole. */
static bool is_needed(uint64_t due_ns)
{
	struct sl_error error = { "" };
	struct sl_tune_journal journal;
	bool needed;

	/* undo() will say so. */
	if (sl_tune_journal_load(&journal, &error))
		return true;
	needed = journal.confirm_ns == due_ns;
	sl_tune_journal_fini(&journal);
	return needed;
}

/* The end of *hold comes when `apply` is through, or dead. */
static void wait_for_apply(int hold, uint64_t due_ns)
{
	struct pollfd end = { .fd = hold, .events = POLLIN };

	while (poll(&end, 1, ms_until(due_ns)) < 0 && errno == EINTR)
		;
	close(hold);
}

static bool wait_until_due(uint64_t due_ns)
{
	for (int left; (left = ms_until(due_ns)) > 0;) {
		if (!is_needed(due_ns))
			return false;
		poll(NULL, 0, left < NAP_MS ? left : NAP_MS);
	}
	return true;
}

static void undo(uint64_t due_ns)
{
	const struct sl_tune_which which = { .unconfirmed = true };
	struct sl_tune_list list = { 0 };
	struct sl_error error = { "" };
	struct sl_tune_journal journal;
	struct sl_lock lock;

	if (sl_tune_lock(LOCK_WAIT_MS, &lock, &error)) {
		syslog(LOG_ERR, "tune: not confirmed: %s", error.text);
		return;
	}
	if (sl_tune_journal_load(&journal, &error)) {
		syslog(LOG_ERR, "tune: not confirmed: %s", error.text);
		goto out;
	}
	if (journal.confirm_ns == due_ns) {
		if (sl_tune_undo(&journal, &which, &list, &error) ||
		    sl_tune_journal_confirm(&journal, &error))
			syslog(LOG_ERR, "tune: not confirmed: %s", error.text);
		else
			syslog(LOG_NOTICE,
			       "tune: not confirmed: %zu settings undone",
			       list.n);
		sl_tune_list_fini(&list);
	}
	sl_tune_journal_fini(&journal);
out:
	sl_lock_release(&lock);
}

/* 3 is then the end of `hold`, 4 that of `told`; nothing else is open. */
static void leave_session(int hold, int told)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;

	setsid();
	if (chdir("/"))
		_exit(1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	/* Above all the lock, which is free when its last descriptor goes. */
	hold = fcntl(hold, F_DUPFD_CLOEXEC, 5);
	told = fcntl(told, F_DUPFD_CLOEXEC, 5);
	if (dup2(hold, 3) < 0 || dup2(told, 4) < 0)
		_exit(1);
	closefrom(5);
}

static void run_guard(int hold, int told, uint64_t due_ns)
{
	pid_t self = getpid();

	leave_session(hold, told);
	/* Now, so that the lock is free when `apply` is done. */
	if (write(4, &self, sizeof(self)) != sizeof(self))
		_exit(1);
	close(4);
	openlog("sluice", LOG_PID, LOG_DAEMON);
	wait_for_apply(3, due_ns);
	if (wait_until_due(due_ns))
		undo(due_ns);
	_exit(0);
}

/* The guard is nobody's child here: it tells its pid through the pipe. */
static int start(uint64_t due_ns, int hold[2], int *guard)
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
			run_guard(hold[0], told[1], due_ns);
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

int cli_tune_guard_start(unsigned long seconds, struct sl_tune_journal *journal,
			 int *hold, struct sl_error *error)
{
	uint64_t due_ns = boot_ns() + seconds * 1000000000ull;
	int ends[2];
	int err = pipe2(ends, O_CLOEXEC) ? -errno : 0;

	if (!err) {
		err = start(due_ns, ends, &journal->guard);
		close(ends[0]);
		if (err)
			close(ends[1]);
	}
	if (err)
		return sl_error_set(error, err,
				    "--confirm: start the process that would "
				    "undo it: %s; nothing was changed",
				    strerror(-err));
	journal->confirm_ns = due_ns;
	*hold = ends[1];
	return 0;
}

long cli_tune_seconds_left(const struct sl_tune_journal *journal)
{
	return ((long)(journal->confirm_ns / 1000000) -
		(long)(boot_ns() / 1000000)) /
	       1000;
}

bool cli_tune_guard_runs(const struct sl_tune_journal *journal)
{
	return journal->guard > 0 &&
	       (kill(journal->guard, 0) == 0 || errno == EPERM);
}
