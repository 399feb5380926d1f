/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * How a process that meets what strangers send gives up what it does not need. Each step is
 * for good. Before a second thread, except where a line says otherwise.
 */
#ifndef SLUICE_CONFINE_H
#define SLUICE_CONFINE_H

#include <stdbool.h>
#include <stddef.h>

/* No capability but those listed, as far as they are held, and no way to others. 0 or -errno. */
int sl_confine_keep(const unsigned int *capabilities, size_t n);

/*
 * No capability, no way to one by executing something, and no file, TCP port, or process outside
 * to be reached by name (Landlock; *landlock is false, and that is all, where the kernel has
 * none). What is open stays open. 0 or -errno.
 */
int sl_confine_enter(bool *landlock);

/*
 * Adds to a seccomp filter that these system calls are allowed, and what every process needs:
 * memory that is never executed, abort(). The caller loads the filter. 0 or -errno.
 */
int sl_confine_allow(void *filter, const int *calls, size_t n);

#endif /* SLUICE_CONFINE_H */
