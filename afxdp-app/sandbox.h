/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the data plane may still do once it runs. Each step is for good, and holds for
 * all threads that are there or come. Data plane's main thread.
 */
#ifndef SLUICE_FWD_SANDBOX_H
#define SLUICE_FWD_SANDBOX_H

#include <stdbool.h>

/*
 * Before any thread: no capability, no way to one by executing something, and no file, TCP port,
 * or process outside to be reached by name (Landlock; *landlock is false, and that is all,
 * where the kernel has none). 0 or -errno.
 */
int sl_sandbox_enter(bool *landlock);

/*
 * When all threads run: seccomp, for all of them, with a list of what is needed from now on. A
 * system call beyond it is not carried out: the process tells `channel` its number
 * (SL_CHANNEL_REFUSED) and ends. 0 or -errno.
 */
int sl_sandbox_seal(int channel);

/* Exit status after such a call. */
#define SL_SANDBOX_REFUSED 4

#endif /* SLUICE_FWD_SANDBOX_H */
