// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "pins.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "ancestor.h"

static bool is_bpffs(void)
{
	struct statfs fs;

	return statfs(SL_PINS_ROOT, &fs) == 0 && fs.f_type == BPF_FS_MAGIC;
}

/* 0700: what is pinned here can turn the filter off. */
static int make_directory(const char *path)
{
	return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

static int open_mount_namespace(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)pid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/*
 * The initial mount namespace is that of process 1. Where that one may not be
 * looked into (it has a capability that we lack), the eldest ancestor that may
 * stands in for it: `ip netns exec` leaves its caller's parent as ours.
 */
static int open_initial_namespace(void)
{
	pid_t line[SL_ANCESTORS_MAX];
	int n = sl_ancestors(line), fd = open_mount_namespace(1);

	while (fd < 0 && n-- > 0)
		fd = open_mount_namespace(line[n]);
	return fd;
}

static bool is_current_namespace(int fd)
{
	struct stat theirs, ours;

	return fstat(fd, &theirs) == 0 &&
	       stat("/proc/self/ns/mnt", &ours) == 0 &&
	       theirs.st_ino == ours.st_ino && theirs.st_dev == ours.st_dev;
}

/* Into the initial mount namespace, with the working directory by its path. */
static int enter_initial_namespace(void)
{
	char directory[PATH_MAX];
	int err = 0, fd = open_initial_namespace();

	if (fd < 0)
		return -errno;
	if (!is_current_namespace(fd)) {
		if (!getcwd(directory, sizeof(directory)) ||
		    setns(fd, CLONE_NEWNS) < 0 || chdir(directory) < 0)
			err = -errno;
	}
	close(fd);
	return err;
}

int sl_pins_find(void)
{
	if (is_bpffs())
		return 0;
	return enter_initial_namespace() == 0 && is_bpffs() ? 0 : -ENOENT;
}

int sl_pins_prepare(void)
{
	int err;

	if (is_bpffs())
		return 0;
	err = enter_initial_namespace();
	if (err || is_bpffs())
		return err;
	err = make_directory("/run/sluice");
	if (!err)
		err = make_directory(SL_PINS_ROOT);
	if (!err && mount("bpf", SL_PINS_ROOT, "bpf",
			  MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") < 0)
		err = -errno;
	return err;
}

int sl_pins_directory(char *path, size_t bytes)
{
	struct stat st;

	if (stat("/proc/self/ns/net", &st) < 0)
		return -errno;
	if ((size_t)snprintf(path, bytes, SL_PINS_ROOT "/%lu",
			     (unsigned long)st.st_ino) >= bytes)
		return -ENAMETOOLONG;
	return 0;
}

int sl_pins_link(int ifindex, char *path, size_t bytes)
{
	int err = sl_pins_directory(path, bytes);
	size_t used;

	if (err)
		return err;
	used = strlen(path);
	if ((size_t)snprintf(path + used, bytes - used, "/%d", ifindex) >=
	    bytes - used)
		return -ENAMETOOLONG;
	return 0;
}

/* (bpffs refuses names with a dot.) */
int sl_pins_chain(int ifindex, char *path, size_t bytes)
{
	int err = sl_pins_link(ifindex, path, bytes);

	if (err)
		return err;
	if (strlen(path) + sizeof(SL_PIN_CHAIN) > bytes)
		return -ENAMETOOLONG;
	strcat(path, SL_PIN_CHAIN);
	return 0;
}
