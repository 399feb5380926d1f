// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Preloaded into a program under test: it dies, as by `kill -9`, before the call
 * number DIE_AT of those below that change anything outside of it, so with 1, 2, 3, ... each state that a crash can
 * leave behind is left once. Nothing of it is in the program.
 */
#include <dlfcn.h>
#include <linux/bpf.h>
#include <linux/ethtool.h>
#include <linux/ethtool_netlink.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/netdev_uapi.h"

static pid_t self; /* what it forks lives */

__attribute__((constructor)) static void begin(void)
{
	self = getpid();
}

static void step(void)
{
	const char *at = getenv("DIE_AT");
	static long n;

	if (at && self == getpid() && ++n == strtol(at, NULL, 10))
		kill(self, SIGKILL);
}

/* Is the command of generic netlink one that changes a card? */
static int sets(unsigned command)
{
	return command == ETHTOOL_MSG_CHANNELS_SET ||
	       command == ETHTOOL_MSG_RINGS_SET ||
	       command == ETHTOOL_MSG_COALESCE_SET ||
	       command == SL_NETDEV_NAPI_SET;
}

#define REAL(type, name) type name = (type)dlsym(RTLD_NEXT, __func__)

typedef int (*two_paths_fn)(const char *, const char *);
typedef int (*path_fn)(const char *);
typedef int (*renameat_fn)(int, const char *, int, const char *);
typedef int (*unlinkat_fn)(int, const char *, int);
typedef long (*syscall_fn)(long, ...);
typedef int (*fsync_fn)(int);
typedef ssize_t (*write_fn)(int, const void *, size_t);
typedef ssize_t (*sendto_fn)(int, const void *, size_t, int,
			     const struct sockaddr *, socklen_t);
typedef int (*ioctl_fn)(int, unsigned long, void *);

int rename(const char *from, const char *to)
{
	REAL(two_paths_fn, real);

	step();
	return real(from, to);
}

int unlink(const char *path)
{
	REAL(path_fn, real);

	step();
	return real(path);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	REAL(renameat_fn, real);

	step();
	return real(from_dir, from, to_dir, to);
}

int unlinkat(int dir, const char *path, int flags)
{
	REAL(unlinkat_fn, real);

	step();
	return real(dir, path, flags);
}

/* libbpf's way to the kernel; what attaches a program, or holds it. */
long syscall(long number, ...)
{
	REAL(syscall_fn, real);
	__builtin_va_list args;
	long a[6];

	__builtin_va_start(args, number);
	for (int i = 0; i < 6; i++)
		a[i] = __builtin_va_arg(args, long);
	__builtin_va_end(args);
	if (number == SYS_bpf &&
	    ((int)a[0] == BPF_LINK_CREATE || (int)a[0] == BPF_LINK_UPDATE ||
	     (int)a[0] == BPF_OBJ_PIN))
		step();
	return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

int fsync(int fd)
{
	REAL(fsync_fn, real);

	step();
	return real(fd);
}

ssize_t write(int fd, const void *data, size_t bytes)
{
	REAL(write_fn, real);

	step();
	return real(fd, data, bytes);
}

ssize_t sendto(int fd, const void *data, size_t bytes, int flags,
	       const struct sockaddr *to, socklen_t length)
{
	REAL(sendto_fn, real);

	if (bytes > sizeof(struct nlmsghdr) &&
	    sets(((const unsigned char *)data)[sizeof(struct nlmsghdr)]))
		step();
	return real(fd, data, bytes, flags, to, length);
}

int ioctl(int fd, unsigned long request, ...)
{
	REAL(ioctl_fn, real);
	__builtin_va_list args;
	void *argument;

	__builtin_va_start(args, request);
	argument = __builtin_va_arg(args, void *);
	__builtin_va_end(args);
	/* Of a struct ifreq that ethtool gets, the command. */
	if (request == SIOCETHTOOL &&
	    *(uint32_t *)((struct ifreq *)argument)->ifr_data ==
		    ETHTOOL_SRXFHINDIR)
		step();
	return real(fd, request, argument);
}
