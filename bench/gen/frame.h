/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The packet that the options describe: its bytes for the kernel's copy, and
 * the constants from which the program writes each packet's headers.
 */
#ifndef SLUICE_GEN_FRAME_H
#define SLUICE_GEN_FRAME_H

#include <stdint.h>

#include "gen.h"

struct options;

struct frame {
	uint8_t *bytes; /* varying fields and checksums are zero */
	uint32_t length;
	struct gen_config config;
};

/* The shortest frame without FCS: Ethernet's 60, or the headers if longer. */
uint32_t sl_gen_frame_shortest(const struct options *options);

/*
 * Builds the frame of options->size_bytes (0: the shortest), which must not be
 * under sl_gen_frame_shortest(); `mac` is the source unless the options name one. 0,
 * or -ENOMEM with *frame unchanged; sl_gen_frame_fini() frees. Pure; any thread.
 */
int sl_gen_frame_init(struct frame *frame, const struct options *options,
		      const uint8_t mac[6]);

void sl_gen_frame_fini(struct frame *frame);

#endif /* SLUICE_GEN_FRAME_H */
