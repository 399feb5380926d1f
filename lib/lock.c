// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "error.h"

#define LOCK_DIRECTORY "/run/sluice"
#define LOCK_PATH LOCK_DIRECTORY "/lock"

/* An apply takes well under a second; ten say that something hangs. */
#define LOCK_WAIT_MS 10000
#define LOCK_POLL_MS 20

static void read_holder(int fd, char *holder, size_t bytes)
{
	ssize_t n = pread(fd, holder, bytes - 1, 0);

	holder[n > 0 ? n : 0] = '\0';
	holder[strcspn(holder, "\n")] = '\0';
}

static void write_holder(int fd)
{
	if (ftruncate(fd, 0) == 0)
		dprintf(fd, "%d\n", (int)getpid());
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

int sl_lock_take(struct sl_lock *lock, struct sl_error *error)
{
	const struct timespec pause = { 0, LOCK_POLL_MS * 1000000L };
	char holder[16];
	int fd;

	fd = open_lock();
	if (fd < 0)
		return sl_error_set(error, -errno, LOCK_PATH ": open: %s%s",
				    strerror(errno),
				    errno == EACCES ? "; run as root" : "");
	for (int waited = 0; flock(fd, LOCK_EX | LOCK_NB) < 0;
	     waited += LOCK_POLL_MS) {
		if (waited < LOCK_WAIT_MS && errno == EWOULDBLOCK) {
			nanosleep(&pause, NULL);
			continue;
		}
		read_holder(fd, holder, sizeof(holder));
		close(fd);
		return sl_error_set(error, -EBUSY,
				    "filters: another sluice (process %s) is "
				    "changing them; try again when it is done",
				    holder);
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
