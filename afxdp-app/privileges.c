// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "privileges.h"

#include <cap-ng.h>
#include <errno.h>
#include <sys/prctl.h>

int sl_fwd_privileges_reduce(void)
{
	capng_select_t set = CAPNG_SELECT_CAPS;
	bool admin;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	if (capng_get_caps_process())
		return -EPERM;
	admin = capng_have_capability(CAPNG_PERMITTED, CAP_SYS_ADMIN);
	/* The bounding set can be emptied only by who holds CAP_SETPCAP. */
	if (capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP))
		set = CAPNG_SELECT_BOTH;
	capng_clear(CAPNG_SELECT_BOTH);
	if (admin && capng_update(CAPNG_ADD, CAPNG_PERMITTED, CAP_SYS_ADMIN))
		return -EPERM;
	return capng_apply(set) ? -EPERM : 0;
}

int sl_fwd_privileges_raise(bool raise)
{
	if (capng_get_caps_process())
		return -EPERM;
	if (capng_update(raise ? CAPNG_ADD : CAPNG_DROP, CAPNG_EFFECTIVE,
			 CAP_SYS_ADMIN))
		return -EPERM;
	return capng_apply(CAPNG_SELECT_CAPS) ? -EPERM : 0;
}

int sl_fwd_privileges_none(void)
{
	if (capng_get_caps_process())
		return -EPERM;
	capng_clear(CAPNG_SELECT_CAPS);
	return capng_apply(CAPNG_SELECT_CAPS) ? -EPERM : 0;
}
