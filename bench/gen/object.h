/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_GEN_OBJECT_H
#define SLUICE_GEN_OBJECT_H

#include <stddef.h>

/* The ELF file of gen.bpf.c, part of the program's image. Any thread. */
const void *sl_gen_object_get(size_t *length);

#endif /* SLUICE_GEN_OBJECT_H */
