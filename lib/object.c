// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "object.h"

/* The Makefile says where it builds. */
#ifndef SL_BUILD
#define SL_BUILD "build"
#endif

/* 8: an ELF header is read through pointers to its 64-bit members. */
__asm__(".pushsection .rodata\n"
	".balign 8\n"
	".global sl_object\n"
	"sl_object:\n"
	".incbin \"" SL_BUILD "/sluice.bpf.o\"\n"
	".global sl_object_end\n"
	"sl_object_end:\n"
	".byte 0\n"
	".popsection\n");
