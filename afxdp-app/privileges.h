/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the process may still do, step by step. Capabilities belong to a thread.
 *
 *   start        whatever it was started with: socket(AF_XDP) and promiscuous mode want
 *                CAP_NET_RAW, a UMEM over RLIMIT_MEMLOCK wants CAP_IPC_LOCK,
 *                SO_PREFER_BUSY_POLL and SO_SNDBUFFORCE want CAP_NET_ADMIN, program and map
 *                by id want CAP_SYS_ADMIN
 *   running      main thread: CAP_SYS_ADMIN permitted but not effective, raised only while
 *                the XSKMAP of a filter that was attached anew is looked up (no smaller
 *                capability opens a BPF object by its id, kernel/bpf/syscall.c)
 *   worker       none: sendto, recvfrom, ppoll and the rings need none
 *
 * No socket that needs one is opened after the start, so CAP_NET_RAW goes, too; writing to an
 * XSKMAP whose descriptor is held takes no capability. When the agent and the data plane
 * become two processes, the main thread's part is the agent's.
 */
#ifndef SLUICE_FWD_PRIVILEGES_H
#define SLUICE_FWD_PRIVILEGES_H

#include <stdbool.h>

/* Main thread, after the last privileged step of the start. 0 or -errno. */
int sl_fwd_privileges_reduce(void);

/* Main thread: makes CAP_SYS_ADMIN effective or not. 0 or -errno. */
int sl_fwd_privileges_raise(bool raise);

/* The calling thread gives up everything. 0 or -errno. */
int sl_fwd_privileges_none(void);

#endif /* SLUICE_FWD_PRIVILEGES_H */
