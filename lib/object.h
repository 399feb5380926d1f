/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The compiled filter, xdp/sluice.bpf.c, carried inside the library. */
#ifndef SLUICE_OBJECT_H
#define SLUICE_OBJECT_H

extern const unsigned char sl_object[];
extern const unsigned char sl_object_end[];

#endif /* SLUICE_OBJECT_H */
