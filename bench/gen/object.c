// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The generator's BPF object, so that sluice-gen is one file. */
#include "object.h"

#include <stdint.h>

__asm__(".section .rodata\n"
	".balign 8\n"
	".global gen_object_start\n"
	"gen_object_start:\n"
	".incbin \"build/gen.bpf.o\"\n"
	".global gen_object_end\n"
	"gen_object_end:\n"
	".previous\n");

extern const unsigned char gen_object_start[], gen_object_end[];

const void *gen_object_get(size_t *length)
{
	/* As integers: to C these are two objects. */
	*length = (uintptr_t)gen_object_end - (uintptr_t)gen_object_start;
	return gen_object_start;
}
