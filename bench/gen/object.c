// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The generator's BPF object, so that sluice-gen is one file. */
#include "object.h"

#include <stdint.h>

/* The Makefile says where it builds. */
#ifndef SL_BUILD
#define SL_BUILD "build"
#endif

__asm__(".section .rodata\n"
	".balign 8\n"
	".global sl_gen_object_start\n"
	"sl_gen_object_start:\n"
	".incbin \"" SL_BUILD "/gen.bpf.o\"\n"
	".global sl_gen_object_end\n"
	"sl_gen_object_end:\n"
	".previous\n");

extern const unsigned char sl_gen_object_start[], sl_gen_object_end[];

const void *sl_gen_object_get(size_t *length)
{
	/* As integers: to C these are two objects. */
	*length = (uintptr_t)sl_gen_object_end - (uintptr_t)sl_gen_object_start;
	return sl_gen_object_start;
}
