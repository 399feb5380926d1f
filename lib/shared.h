/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * `attach shared`: the filter beside other XDP programs under libxdp's
 * dispatcher, which needs freplace (BPF_PROG_TYPE_EXT).
 */
#ifndef SLUICE_SHARED_H
#define SLUICE_SHARED_H

#include <stdint.h>

#include "config.h"

struct bpf_object;
struct sl_attachment;
struct sl_error;

/*
 * The id of the Sluice program under the interface's dispatcher, in *prog_id.
 * 0, or -ENOENT when there is none or no dispatcher.
 */
int sl_shared_find(int ifindex, uint32_t *prog_id);

/*
 * Loads the object's `section` (not loaded yet) through libxdp and adds it to
 * the interface's dispatcher. libxdp returns success even when it could not
 * make a dispatcher and attached the program alone: that is asked for, undone,
 * and reported. 0, or -errno with a message and nothing attached.
 */
int sl_shared_attach(const struct sl_attachment *attachment,
		     struct bpf_object *object, const char *section,
		     enum sl_mode mode, struct sl_error *error);

/* Takes our program out of the dispatcher; other programs stay. */
int sl_shared_detach(struct sl_attachment *attachment, struct sl_error *error);

#endif /* SLUICE_SHARED_H */
