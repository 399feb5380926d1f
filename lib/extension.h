/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The extensions of one filter, from one generation to the next: a user's own
 * BPF programs before and after classification (xdp/extension.h is what they
 * include). Those of the file come and go with it; those of `sluice ext load`
 * stay until they are unloaded.
 *
 * In order: init, plan, load, install, pin, and fini. Each returns 0, or -errno with a
 * message; up to install nothing that runs has changed. Main thread only.
 */
#ifndef SLUICE_EXTENSION_H
#define SLUICE_EXTENSION_H

#include <stdbool.h>
#include <stdint.h>

#include "chain.h"

struct sl_attachment;
struct sl_config;
struct sl_error;
struct sl_filter;
struct sl_generation;
struct sl_interface;

struct sl_extension_change {
	const char *path; /* NULL: the slot becomes empty */
	bool after;
	uint32_t slot;
};

struct sl_extensions_input {
	const struct sl_config *config;
	const struct sl_interface *interface;
	const struct sl_filter *previous; /* or NULL */
	bool linked;	 /* it is or will be attached by our pinned link */
	bool rules_only; /* those that run stay, but for the change */
	const struct sl_extension_change *change; /* or NULL */
};

struct sl_extensions {
	const char *interface; /* of the configuration */
	struct sl_chain old, next;
	char *path[2][SL_EXT_SLOTS]; /* to be loaded: [after][slot] */
	bool used;		     /* there is one in `next` */
	bool in_place; /* `next` goes into the map that holds `old` */
};

void sl_extensions_init(struct sl_extensions *e);

int sl_extensions_plan(const struct sl_extensions_input *input,
		       struct sl_extensions *e, struct sl_error *error);

/* Loads the programs for the generation, which has been loaded with `used`. */
int sl_extensions_load(const struct sl_extensions_input *input,
		       struct sl_extensions *e,
		       const struct sl_generation *generation,
		       struct sl_error *error);

/* Puts them into the generation's map; on failure undo. */
int sl_extensions_install(const struct sl_extensions *e,
			  const struct sl_generation *generation,
			  struct sl_error *error);

/*
 * Once it is attached: a filter with extensions has their map pinned beside its
 * link, and no other has.
 */
int sl_extensions_pin(const struct sl_extensions *e,
		      const struct sl_generation *generation,
		      const struct sl_attachment *attachment,
		      struct sl_error *error);

/* Puts the old ones back into a map that goes on. */
void sl_extensions_undo(const struct sl_extensions *e,
			const struct sl_generation *generation);

void sl_extensions_fini(struct sl_extensions *e);

#endif /* SLUICE_EXTENSION_H */
