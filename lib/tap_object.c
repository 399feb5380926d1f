// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "tap_object.h"

/* The Makefile says where it builds. */
#ifndef SL_BUILD
#define SL_BUILD "build"
#endif

/* 8: as in object.c. */
__asm__(".pushsection .rodata\n"
	".balign 8\n"
	".global sl_tap_object\n"
	"sl_tap_object:\n"
	".incbin \"" SL_BUILD "/tap.bpf.o\"\n"
	".global sl_tap_object_end\n"
	"sl_tap_object_end:\n"
	".byte 0\n"
	".popsection\n");
