// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "actor.h"
#include "clock.h"
#include "error.h"

#define LOCK_DIRECTORY "/run/sluice"
#define LOCK_PATH LOCK_DIRECTORY "/lock"
#define HOLDER_BYTES 1024

/* An apply takes well under a second; ten say that something hangs. */
#define LOCK_WAIT_S 10
/* A signal that comes just before flock(2) is lost: so it comes again. */
#define LOCK_AGAIN_NS 100000000

/*
 * The lock's file: its holder's pid in a line, then who that is, since when and
 * by which command. Who finds it held reads that; it says nothing else.
 */
static void read_holder(int fd, char *pid, size_t bytes, char *rest,
			size_t rest_bytes)
{
	char text[HOLDER_BYTES];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	size_t first;

	text[n > 0 ? n : 0] = '\0';
	first = strcspn(text, "\n");
	snprintf(pid, bytes, "%.*s", (int)first, text);
	text[first + strcspn(text + first + !!text[first], "\n") +
	     !!text[first]] = '\0';
	snprintf(rest, rest_bytes, "%s%s", text[first] ? ", " : "",
		 text[first] ? text + first + 1 : "");
}

static void write_holder(int fd)
{
	char who[SL_ACTOR_TEXT], since[32], text[HOLDER_BYTES];
	time_t now = time(NULL);
	struct sl_actor actor;
	struct tm local;

	sl_actor_read(&actor);
	sl_actor_print(&actor, who, sizeof(who));
	localtime_r(&now, &local);
	strftime(since, sizeof(since), "%F %T", &local);
	snprintf(text, sizeof(text), "%d\n%s, since %s: %s\n", (int)getpid(),
		 who, since, actor.command);
	/* At once: a reader finds all of it, or nothing. */
	if (ftruncate(fd, 0) == 0 && pwrite(fd, text, strlen(text), 0) < 0)
		(void)!ftruncate(fd, 0);
}

/* Where /run cannot be written, the root directory serves, without a name. */
static int open_lock(void)
{
	int fd = -1;

	if (mkdir(LOCK_DIRECTORY, 0700) == 0 || errno == EEXIST)
		fd = open(LOCK_PATH, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 && errno != EACCES)
		fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd;
}

static void hold_signals(sigset_t *before)
{
	sigset_t held;

	sigemptyset(&held);
	sigaddset(&held, SIGINT);
	sigaddset(&held, SIGTERM);
	sigaddset(&held, SIGHUP);
	sigaddset(&held, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &held, before);
}

/* What the wait changes of the process, and is put back after it. */
struct bell {
	timer_t timer;
	struct sigaction action;
	sigset_t mask;
};

static void on_bell(int number)
{
	(void)number; /* flock(2) returns, that is all */
}

static int set_bell(struct bell *bell)
{
	const struct itimerspec times = {
		.it_value = { .tv_sec = LOCK_WAIT_S },
		.it_interval = { .tv_nsec = LOCK_AGAIN_NS },
	};
	struct sigaction action = { .sa_handler = on_bell }; /* no restart */
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL,
				  .sigev_signo = SIGALRM };
	sigset_t let;

	if (timer_create(CLOCK_MONOTONIC, &event, &bell->timer) < 0)
		return -errno;
	sigaction(SIGALRM, &action, &bell->action);
	sigemptyset(&let);
	sigaddset(&let, SIGALRM);
	pthread_sigmask(SIG_UNBLOCK, &let, &bell->mask);
	timer_settime(bell->timer, 0, &times, NULL);
	return 0;
}

/* The timer first: no signal of its is left for the action that was before. */
static void end_bell(struct bell *bell)
{
	timer_delete(bell->timer);
	pthread_sigmask(SIG_SETMASK, &bell->mask, NULL);
	sigaction(SIGALRM, &bell->action, NULL);
}

/*
 * In flock(2) itself: the kernel wakes who waits there as soon as the lock is
 * free, in the order in which they came. Who only asks now and then finds it
 * taken again, as long as anybody else waits.
 */
static int wait_for_lock(int fd)
{
	uint64_t end_ns = sl_clock_ns() + LOCK_WAIT_S * 1000000000ull;
	struct bell bell;
	int err;

	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return -errno;
	err = set_bell(&bell);
	if (err)
		return err;
	do {
		err = flock(fd, LOCK_EX) < 0 ? -errno : 0;
	} while (err == -EINTR && sl_clock_ns() < end_ns);
	end_bell(&bell);
	return err;
}

int sl_lock_take(struct sl_lock *lock, struct sl_error *error)
{
	char holder[16], who[HOLDER_BYTES];
	int fd, err;

	fd = open_lock();
	if (fd < 0)
		return sl_error_set(error, -errno, LOCK_PATH ": open: %s%s",
				    strerror(errno),
				    errno == EACCES ? "; run as root" : "");
	err = wait_for_lock(fd);
	if (err) {
		read_holder(fd, holder, sizeof(holder), who, sizeof(who));
		close(fd);
		if (err != -EINTR)
			return sl_error_set(error, err, LOCK_PATH ": lock: %s",
					    strerror(-err));
		return sl_error_set(error, -EBUSY,
				    "filters: another sluice (process %s%s) is "
				    "changing them; try again when it is done",
				    holder, who);
	}
	write_holder(fd);
	lock->fd = fd;
	hold_signals(&lock->mask);
	return 0;
}

int sl_lock_try(const char *path, struct sl_lock *lock, int *holder)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	char text[16], who[HOLDER_BYTES];
	int err = 0;

	*holder = 0;
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		err = errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (err) {
		read_holder(fd, text, sizeof(text), who, sizeof(who));
		*holder = (int)strtol(text, NULL, 10);
		close(fd);
		return err;
	}
	write_holder(fd);
	lock->fd = fd;
	hold_signals(&lock->mask);
	return 0;
}

void sl_lock_release(struct sl_lock *lock)
{
	close(lock->fd);
	pthread_sigmask(SIG_SETMASK, &lock->mask, NULL);
}
