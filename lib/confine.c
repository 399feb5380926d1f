// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "confine.h"

#include <cap-ng.h>
#include <errno.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int sl_confine_keep(const unsigned int *capabilities, size_t n)
{
	capng_select_t set = CAPNG_SELECT_CAPS;
	uint64_t held = 0;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	if (capng_get_caps_process())
		return -EPERM;
	for (size_t i = 0; i < n; i++)
		if (capng_have_capability(CAPNG_PERMITTED, capabilities[i]))
			held |= 1ull << capabilities[i];
	/* The bounding set can be emptied only by who holds CAP_SETPCAP. */
	if (capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP))
		set = CAPNG_SELECT_BOTH;
	capng_clear(CAPNG_SELECT_BOTH);
	for (size_t i = 0; i < n; i++)
		if (held & 1ull << capabilities[i] &&
		    capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED,
				 capabilities[i]))
			return -EPERM;
	return capng_apply(set) ? -EPERM : 0;
}

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

int sl_confine_enter(bool *landlock)
{
	int err = sl_confine_keep(NULL, 0);

	return err ? err : landlock_enter(landlock);
}

int sl_confine_allow(void *filter, const int *calls, size_t n)
{
	int err = 0;

	for (size_t i = 0; i < n && !err; i++)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
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
