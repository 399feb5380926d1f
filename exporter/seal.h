/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef SLUICE_EXPORTER_SEAL_H
#define SLUICE_EXPORTER_SEAL_H

/*
 * From now on the process can do what serving takes, and no more: lib/confine.h, then seccomp.
 * A system call beyond the list kills it. For good; before a second thread. 0 or -errno.
 */
int sl_seal(void);

#endif /* SLUICE_EXPORTER_SEAL_H */
