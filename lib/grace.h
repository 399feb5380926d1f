/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef SLUICE_GRACE_H
#define SLUICE_GRACE_H

/*
 * Waits until every BPF program that runs now, on any CPU, has returned: what it
 * may still have read can then be used for something else. Takes some
 * milliseconds and stalls no CPU. 0 or -errno.
 */
int sl_grace_wait(void);

#endif /* SLUICE_GRACE_H */
