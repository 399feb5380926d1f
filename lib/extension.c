// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "extension.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "attach.h"
#include "config.h"
#include "diag.h"
#include "error.h"
#include "filter.h"
#include "generation.h"
#include "log.h"
#include "observe.h"
#include "parse.h"
#include "pins.h"
#include "setfile.h"

#define SLOT_MAP ".rodata.slot"

static const char *side_text(bool after)
{
	return after ? "after" : "before";
}

/* One program to load, and what its messages begin with. */
struct load {
	const char *path;
	bool after;
	unsigned slot;
	const struct sl_generation *generation;
	bool frags;
	struct sl_error *error;
};

static int refuse(const struct load *l, int err, const char *what,
		  const char *detail)
{
	return sl_error_set(l->error, err, "extension %s %u: %s: %s%s",
			    side_text(l->after), l->slot, l->path, what,
			    detail);
}

/* The one program of the object; NULL and *n: there are n. */
static struct bpf_program *only_program(struct bpf_object *object, unsigned *n)
{
	struct bpf_program *program, *only = NULL;

	*n = 0;
	bpf_object__for_each_program(program, object) {
		only = program;
		++*n;
	}
	return *n == 1 ? only : NULL;
}

static int check_object(const struct load *l, struct bpf_object *object)
{
	struct bpf_program *program;
	const char *section;
	char text[128];
	unsigned n;
	bool frags;

	program = only_program(object, &n);
	if (!program) {
		snprintf(text, sizeof(text), "%u", n);
		return refuse(
			l, -EINVAL,
			"an extension is one program; those in it: ", text);
	}
	section = bpf_program__section_name(program);
	if (bpf_program__type(program) != BPF_PROG_TYPE_XDP ||
	    strchr(section, '/')) {
		snprintf(text, sizeof(text), "%.100s", section);
		return refuse(l, -EINVAL,
			      "not an XDP program: its section must be \"xdp\" "
			      "or \"xdp.frags\", and is ",
			      text);
	}
	frags = strcmp(section, "xdp.frags") == 0;
	if (frags != l->frags)
		return refuse(l, -EINVAL,
			      frags ? "its section is \"xdp.frags\", but the "
				      "interface says `frags off`; " :
				      "its section is \"xdp\", but the "
				      "interface says `frags on`; ",
			      frags ? "make it SEC(\"xdp\")" :
				      "make it SEC(\"xdp.frags\")");
	return 0;
}

static int share_map(struct bpf_object *object, const char *name, int fd)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, name);

	return map ? bpf_map__reuse_fd(map, fd) : 0;
}

/* The chain's maps, and the program's own place in it. */
static int connect_object(const struct load *l, struct bpf_object *object)
{
	const struct sl_generation *g = l->generation;
	uint32_t entry = (l->after ? SL_EXT_AFTER : SL_EXT_BEFORE) + l->slot;
	struct bpf_map *place = bpf_object__find_map_by_name(object, SLOT_MAP);
	int err = share_map(object, "sl_ext", sl_generation_map(g, SL_MAP_EXT));

	if (!err)
		err = share_map(object, "sl_ext_state",
				sl_generation_map(g, SL_MAP_EXT_STATE));
	if (!err && place)
		err = bpf_map__set_initial_value(place, &entry, sizeof(entry));
	return err ? refuse(l, -EINVAL,
			    "its maps are not those of this version's "
			    "extension.h: ",
			    strerror(-err)) :
		     0;
}

static int load_object(const struct load *l, struct bpf_object *object,
		       int *prog_fd)
{
	unsigned n;
	int err = check_object(l, object);

	if (!err)
		err = connect_object(l, object);
	if (err)
		return err;
	sl_log_clear();
	err = bpf_object__load(object);
	if (err) {
		char text[3200];

		snprintf(text, sizeof(text), "%s\n%s", strerror(-err),
			 sl_log_tail());
		return refuse(l, -EINVAL, "the kernel refuses it: ", text);
	}
	*prog_fd = fcntl(bpf_program__fd(only_program(object, &n)),
			 F_DUPFD_CLOEXEC, 3);
	return *prog_fd < 0 ? refuse(l, -errno, "", strerror(errno)) : 0;
}

static int load_one(const struct load *l, int *prog_fd)
{
	struct bpf_object *object;
	char why[128];
	int err;

	if (access(l->path, R_OK) < 0)
		return refuse(l, -EINVAL,
			      "it cannot be read: ", strerror(errno));
	sl_log_clear();
	object = bpf_object__open_file(l->path, NULL);
	if (!object) {
		libbpf_strerror(errno, why, sizeof(why));
		return refuse(l, -EINVAL, "not a BPF object file (ELF): ", why);
	}
	err = load_object(l, object, prog_fd);
	bpf_object__close(object);
	return err;
}

static int no_memory(struct sl_error *error)
{
	return sl_error_set(error, -ENOMEM, "out of memory");
}

/* What runs, twice: as it is, and as what is to be made of it. */
static int read_chain(const struct sl_extensions_input *input,
		      struct sl_extensions *e, struct sl_error *error)
{
	const struct sl_filter *previous = input->previous;
	int err;

	if (!previous || !(previous->gen.flags & SL_GEN_EXT))
		return 0;
	e->in_place = previous->frags == input->interface->frags;
	err = sl_chain_read(previous->map_fd[SL_MAP_EXT], &e->old);
	if (!err)
		err = sl_chain_read(previous->map_fd[SL_MAP_EXT], &e->next);
	return err ? sl_error_set(error, err, "%s: read its extensions: %s",
				  input->interface->name, strerror(-err)) :
		     0;
}

static void empty_slot(struct sl_extensions *e, bool after, unsigned slot)
{
	int *fd = sl_chain_slot(&e->next, after, slot);

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* The previous file's go; a text that cannot be read any more had none. */
static int drop_previous(const struct sl_extensions_input *input,
			 struct sl_extensions *e, struct sl_error *error)
{
	char *text = sl_filter_text(input->previous);
	struct sl_diags diags = { 0 };
	struct sl_config *config = NULL;
	int err;

	if (!text)
		return 0;
	err = sl_config_parse(text, strlen(text), input->interface->name,
			      &diags, &config);
	for (size_t i = 0; !err && i < config->n_extensions; i++)
		empty_slot(e, config->extensions[i].after,
			   config->extensions[i].slot);
	sl_config_free(config);
	sl_diags_fini(&diags);
	free(text);
	return err == -ENOMEM ? no_memory(error) : 0;
}

static int take_statements(const struct sl_extensions_input *input,
			   struct sl_extensions *e, struct sl_error *error)
{
	for (size_t i = 0; i < input->config->n_extensions; i++) {
		const struct sl_extension *s = &input->config->extensions[i];
		char **path = &e->path[s->after][s->slot];

		if (*sl_chain_slot(&e->next, s->after, s->slot) >= 0)
			return sl_error_set(
				error, -EINVAL,
				"%s: extension %s %u: `sluice ext load` has "
				"put another program there; `sluice ext unload "
				"%s %u` first",
				input->interface->name, side_text(s->after),
				s->slot, side_text(s->after), s->slot);
		*path = sl_setfile_locate(input->config->source->name, s->path);
		if (!*path)
			return no_memory(error);
	}
	return 0;
}

static int take_change(const struct sl_extensions_input *input,
		       struct sl_extensions *e, struct sl_error *error)
{
	const struct sl_extension_change *c = input->change;
	char **path = &e->path[c->after][c->slot];

	if (!c->path && *sl_chain_slot(&e->next, c->after, c->slot) < 0)
		return sl_error_set(error, -EINVAL,
				    "%s: extension %s %u: the slot is empty",
				    input->interface->name, side_text(c->after),
				    c->slot);
	empty_slot(e, c->after, c->slot);
	if (!c->path)
		return 0;
	*path = strdup(c->path);
	return *path ? 0 : no_memory(error);
}

static unsigned count_paths(const struct sl_extensions *e)
{
	unsigned n = 0;

	for (unsigned slot = 0; slot < SL_EXT_SLOTS; slot++)
		n += !!e->path[0][slot] + !!e->path[1][slot];
	return n;
}

static int check_place(const struct sl_extensions_input *input,
		       const struct sl_extensions *e, struct sl_error *error)
{
	const char *name = input->interface->name;
	unsigned kept = sl_chain_count(&e->next);

	if (kept + count_paths(e) > SL_EXT_MAX)
		return sl_error_set(error, -EINVAL,
				    "%s: extensions: at most %d of the slots "
				    "may be in use",
				    name, SL_EXT_MAX);
	if (input->interface->attach == SL_ATTACH_SHARED)
		return sl_error_set(error, -EINVAL,
				    "%s: extensions: not with `attach shared`; "
				    "say `attach exclusive`",
				    name);
	if (!input->linked)
		return sl_error_set(
			error, -EOPNOTSUPP,
			"%s: extensions: its filter is attached by netlink, "
			"and they need Sluice's pinned link; detach it and "
			"apply again",
			name);
	if (kept && !e->in_place)
		return sl_error_set(error, -EINVAL,
				    "%s: `frags` cannot change while `sluice "
				    "ext load` has extensions there; `sluice "
				    "ext unload` them first",
				    name);
	return 0;
}

void sl_extensions_init(struct sl_extensions *e)
{
	*e = (struct sl_extensions){ 0 };
	sl_chain_init(&e->old);
	sl_chain_init(&e->next);
}

int sl_extensions_plan(const struct sl_extensions_input *input,
		       struct sl_extensions *e, struct sl_error *error)
{
	int err;

	e->interface = input->interface->name;
	err = read_chain(input, e, error);
	if (!err && !input->rules_only) {
		if (input->previous && input->previous->gen.flags & SL_GEN_EXT)
			err = drop_previous(input, e, error);
		if (!err)
			err = take_statements(input, e, error);
	}
	if (!err && input->change)
		err = take_change(input, e, error);
	if (err)
		return err;
	e->used = sl_chain_count(&e->next) || count_paths(e);
	e->in_place = e->in_place && e->used;
	return e->used ? check_place(input, e, error) : 0;
}

static int take_ends(struct sl_extensions *e, const struct sl_generation *g)
{
	if (e->next.classify >= 0)
		close(e->next.classify);
	if (e->next.end >= 0)
		close(e->next.end);
	e->next.classify =
		fcntl(bpf_program__fd(g->classify), F_DUPFD_CLOEXEC, 3);
	e->next.end = fcntl(bpf_program__fd(g->end), F_DUPFD_CLOEXEC, 3);
	return e->next.classify < 0 || e->next.end < 0 ? -EMFILE : 0;
}

int sl_extensions_load(const struct sl_extensions_input *input,
		       struct sl_extensions *e,
		       const struct sl_generation *generation,
		       struct sl_error *error)
{
	int err = 0;

	if (!e->used)
		return 0;
	for (unsigned i = 0; i < 2 * SL_EXT_SLOTS && !err; i++) {
		struct load l = { .after = i / SL_EXT_SLOTS,
				  .slot = i % SL_EXT_SLOTS,
				  .generation = generation,
				  .frags = input->interface->frags,
				  .error = error };

		l.path = e->path[l.after][l.slot];
		if (l.path)
			err = load_one(&l, sl_chain_slot(&e->next, l.after,
							 l.slot));
	}
	if (err)
		return err;
	err = take_ends(e, generation);
	return err ? sl_error_set(error, err, "%s: extensions: %s",
				  input->interface->name, strerror(-err)) :
		     0;
}

void sl_extensions_undo(const struct sl_extensions *e,
			const struct sl_generation *generation)
{
	if (e->in_place)
		sl_chain_write(sl_generation_map(generation, SL_MAP_EXT),
			       &e->old);
}

int sl_extensions_install(const struct sl_extensions *e,
			  const struct sl_generation *generation,
			  struct sl_error *error)
{
	int err;

	if (!e->used)
		return 0;
	err = sl_chain_write(sl_generation_map(generation, SL_MAP_EXT),
			     &e->next);
	return err ? sl_error_set(error, err,
				  "%s: extensions: the kernel refuses to call "
				  "one: %s",
				  e->interface, strerror(-err)) :
		     0;
}

int sl_extensions_pin(const struct sl_extensions *e,
		      const struct sl_generation *generation,
		      const struct sl_attachment *attachment,
		      struct sl_error *error)
{
	int fd = e->used ? sl_generation_map(generation, SL_MAP_EXT) : -1;
	int err;

	if (attachment->how != SL_ATTACHED_LINK)
		return 0;
	err = sl_chain_pin(attachment->ifindex, fd);
	return err ? sl_error_set(error, err,
				  "%s: pin its extensions below " SL_PINS_ROOT
				  ": %s",
				  attachment->interface, strerror(-err)) :
		     0;
}

void sl_extensions_fini(struct sl_extensions *e)
{
	sl_chain_fini(&e->old);
	sl_chain_fini(&e->next);
	for (unsigned slot = 0; slot < SL_EXT_SLOTS; slot++) {
		free(e->path[0][slot]);
		free(e->path[1][slot]);
	}
	memset(e->path, 0, sizeof(e->path));
}
