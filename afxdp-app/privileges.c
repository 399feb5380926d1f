// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "privileges.h"

#include <cap-ng.h>
#include <errno.h>
#include <stddef.h>
#include <sys/prctl.h>

static const unsigned int kept[] = { CAP_NET_RAW,      CAP_NET_ADMIN,
				     CAP_IPC_LOCK,     CAP_SYS_ADMIN,
				     CAP_DAC_OVERRIDE, CAP_SETPCAP };
#define KEPT (sizeof(kept) / sizeof(kept[0]))

int sl_fwd_privileges_reduce(void)
{
	bool held[KEPT];

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	if (capng_get_caps_process())
		return -EPERM;
	for (size_t i = 0; i < KEPT; i++)
		held[i] = capng_have_capability(CAPNG_PERMITTED, kept[i]);
	capng_clear(CAPNG_SELECT_CAPS);
	for (size_t i = 0; i < KEPT; i++)
		if (held[i] &&
		    capng_update(CAPNG_ADD, CAPNG_PERMITTED, kept[i]))
			return -EPERM;
	return capng_apply(CAPNG_SELECT_CAPS) ? -EPERM : 0;
}

int sl_fwd_privileges_raise(bool raise)
{
	if (capng_get_caps_process())
		return -EPERM;
	for (size_t i = 0; i < KEPT; i++)
		if (capng_have_capability(CAPNG_PERMITTED, kept[i]) &&
		    capng_update(raise ? CAPNG_ADD : CAPNG_DROP,
				 CAPNG_EFFECTIVE, kept[i]))
			return -EPERM;
	return capng_apply(CAPNG_SELECT_CAPS) ? -EPERM : 0;
}
