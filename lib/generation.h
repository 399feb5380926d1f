/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A generation: compiled rules loaded as a program, not attached yet.
 */
#ifndef SLUICE_GENERATION_H
#define SLUICE_GENERATION_H

#include <stdbool.h>

#include "filter.h"

struct bpf_object;
struct bpf_program;
struct sl_compiled;
struct sl_error;
struct sl_limit_maps;
struct sl_live_shape;

struct sl_generation_input {
	struct sl_compiled *compiled;	  /* slots and devices are filled in */
	const char *text;		  /* canonical configuration */
	const struct sl_filter *previous; /* its maps are taken over; or NULL */
	const struct sl_live_shape *live; /* bytes 0: there is no live set */
	const struct sl_limit_maps *limits;
	int live_fd; /* the map of that shape */
	bool frags;
	bool netlink;	 /* it will be attached without a link */
	bool extensions; /* it is going to have some (extension.h) */
};

struct sl_generation {
	struct bpf_object *object;
	struct bpf_program *program;
	struct bpf_program *classify, *end; /* with extensions, or NULL */
	int prog_fd;
};

/*
 * In order: open (tables and all but names and text are ready), load, bind, and
 * close once it is attached (the program lives on where it is attached). Each
 * returns 0, or -errno with a message, and then nothing that runs has changed
 * and *generation is closed. Under libxdp's dispatcher libxdp does the load;
 * then set prog_fd and go on with bind.
 *
 * Open gives the rules their slots (slots.h). The message of a failed load has
 * the verifier's log.
 */
int sl_generation_open(const struct sl_generation_input *input,
		       struct sl_generation *generation,
		       struct sl_error *error);
int sl_generation_load(struct sl_generation *generation,
		       struct sl_error *error);
int sl_generation_bind(const struct sl_generation_input *input,
		       struct sl_generation *generation,
		       struct sl_error *error);

/* The descriptor of one of its maps, which stays its own; -1: not made yet. */
int sl_generation_map(const struct sl_generation *generation,
		      enum sl_filter_map map);

/* The section of the program that was chosen: "xdp" or "xdp.frags". */
const char *sl_generation_section(const struct sl_generation *generation);

void sl_generation_close(struct sl_generation *generation);

#endif /* SLUICE_GENERATION_H */
