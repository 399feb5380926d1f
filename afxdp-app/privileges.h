/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a process may still do, step by step. Capabilities belong to a thread; these are
 * called before there is a second one.
 *
 *   start       whatever it was started with
 *   agent       permitted, and effective only while it opens or reopens something:
 *               CAP_NET_RAW for socket(AF_XDP) and promiscuous mode, CAP_IPC_LOCK for a UMEM
 *               over RLIMIT_MEMLOCK, CAP_NET_ADMIN for SO_PREFER_BUSY_POLL,
 *               SO_SNDBUFFORCE and to refresh neighbours (neighbour.h), CAP_SYS_ADMIN for programs and maps by id (no smaller one
 *               opens them, kernel/bpf/syscall.c), CAP_DAC_OVERRIDE so that a reload may
 *               read and write what the start could, CAP_SETPCAP to empty the bounding set
 *               of a data plane
 *   data plane  none (lib/confine.h): sendto, recvfrom, ppoll and the rings need none
 */
#ifndef SLUICE_FWD_PRIVILEGES_H
#define SLUICE_FWD_PRIVILEGES_H

#include <stdbool.h>

/* The agent, after the start: keeps what is listed above, none of it effective. 0 or -errno. */
int sl_fwd_privileges_reduce(void);

/* The agent: makes what it kept effective, or not. 0 or -errno. */
int sl_fwd_privileges_raise(bool raise);

#endif /* SLUICE_FWD_PRIVILEGES_H */
