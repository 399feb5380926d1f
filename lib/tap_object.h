/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The compiled tapping programs, xdp/tap.bpf.c, carried inside the library. */
#ifndef SLUICE_TAP_OBJECT_H
#define SLUICE_TAP_OBJECT_H

extern const unsigned char sl_tap_object[];
extern const unsigned char sl_tap_object_end[];

#endif /* SLUICE_TAP_OBJECT_H */
