/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef SLUICE_HANDLER_H
#define SLUICE_HANDLER_H

/*
 * Has libbpf specialise (specialise.h) every filter that is loaded from now on,
 * by us or by libxdp for us. Call it before bpf_object__open(); again does
 * nothing. 0 or -errno. Not thread-safe, as libbpf's registry is not.
 */
int sl_handler_register(void);

#endif /* SLUICE_HANDLER_H */
