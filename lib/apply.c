// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * For all interfaces: ask what is attached, compile, load; only then, one after
 * the other, swap. What can fail for a reason in the configuration, the
 * interface or the verifier fails before the first swap. If a swap is refused
 * all the same, the interfaces before it get their old program back.
 *
 * The previous generation is kept open by descriptor until the end, so it can
 * be put back even though the kernel's only other reference was the device.
 * A rule that `expires` begins when all is compiled: loading and swapping count,
 * and all interfaces have the same deadline.
 */
#include "apply.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "attach.h"
#include "clock.h"
#include "compile.h"
#include "config.h"
#include "devices.h"
#include "error.h"
#include "extension.h"
#include "filter.h"
#include "generation.h"
#include "limit_maps.h"
#include "live.h"
#include "pins.h"
#include "rulelist.h"
#include "shared.h"
#include "slots.h"

/* One interface on its way to the new generation. */
struct target {
	const struct sl_interface *interface;
	struct sl_attachment attachment;
	struct sl_filter previous;
	bool has_previous;
	struct sl_compiled *compiled;
	struct sl_generation generation;
	struct sl_extensions ext;
	bool was_generic; /* the mode to go back to */
	bool swapped;
	uint64_t compile_ns, load_ns, swap_ns;
};

struct apply {
	struct sl_config *config;
	char *text; /* canonical, set files expanded */
	struct target *targets;
	size_t n_targets;
	struct sl_limit_maps limits;
	struct sl_limit_place *places; /* of the targets */
	struct sl_live_shape live;
	int live_fd;	 /* -1: no live set */
	bool rules_only; /* what else is in the configuration runs already */
	const struct sl_extension_change *extension; /* but for this */
	bool dry_run;
	struct sl_error *error;
};

static int print_text(struct apply *a)
{
	size_t bytes;
	FILE *out = open_memstream(&a->text, &bytes);
	bool done = out && !sl_config_print(a->config, SL_PRINT_EXPAND, out);

	if (out && fclose(out) == 0 && done)
		return 0;
	return sl_error_set(a->error, -ENOMEM, "out of memory");
}

/* Somebody else's program: say whose, and how to go on. */
static int refuse_foreign(const struct target *t, struct sl_error *error)
{
	char remedy[256];

	sl_attachment_remedy(&t->attachment, remedy, sizeof(remedy));
	return sl_error_set(error, -EBUSY,
			    "%s: attach: it already has XDP program \"%s\" (id "
			    "%u), which is not Sluice's; detach it (%s) and "
			    "apply again",
			    t->interface->name, t->attachment.prog_name,
			    t->attachment.prog_id, remedy);
}

static int open_target(struct target *t, struct sl_error *error)
{
	bool shared = t->interface->attach == SL_ATTACH_SHARED;
	int err = sl_attachment_open(t->interface->name, &t->attachment, error);

	t->was_generic = t->attachment.generic;
	if (err || !t->attachment.prog_id)
		return err;
	err = sl_filter_open(t->attachment.prog_id, &t->previous, error);
	if (err == -ENOMSG) {
		if (shared &&
		    strcmp(t->attachment.prog_name, "xdp_dispatcher") == 0)
			return 0;
		return refuse_foreign(t, error);
	}
	if (err)
		return err;
	t->has_previous = true;
	if (shared && t->interface->mode != SL_MODE_AUTO &&
	    (t->interface->mode == SL_MODE_GENERIC) != t->was_generic)
		return sl_error_set(error, -EBUSY,
				    "%s: attach: a dispatcher cannot change "
				    "its mode; `sluice down %s` first",
				    t->interface->name, t->interface->name);
	if (shared != (t->attachment.how == SL_ATTACHED_SHARED))
		return sl_error_set(error, -EBUSY,
				    "%s: attach: its filter is attached %s and "
				    "cannot change to %s in place; `sluice "
				    "down %s` first",
				    t->interface->name,
				    shared ? "exclusive" : "shared",
				    shared ? "shared" : "exclusive",
				    t->interface->name);
	return 0;
}

static int compile_target(struct apply *a, struct target *t)
{
	const char *name = t->interface->name;
	int err = sl_compile(a->config, name, &t->compiled, a->error);

	return err ? err :
		     sl_devices_resolve(t->compiled, a->config, name, a->error);
}

/* Without a link of its own the filter must say that we attached it. */
static bool by_netlink(const struct apply *a, const struct target *t)
{
	if (t->attachment.how == SL_ATTACHED_NOTHING)
		return (a->dry_run ? sl_pins_find() : sl_pins_prepare()) != 0;
	return t->has_previous && t->previous.gen.flags & SL_GEN_NETLINK;
}

static struct sl_generation_input input_of(const struct apply *a,
					   const struct target *t)
{
	return (struct sl_generation_input){
		.compiled = t->compiled,
		.text = a->text,
		.previous = t->has_previous ? &t->previous : NULL,
		.limits = &a->limits,
		.live = a->rules_only ? &t->previous.gen.live : &a->live,
		.live_fd = a->rules_only ? t->previous.map_fd[SL_MAP_LIVE] :
					   a->live_fd,
		.frags = t->interface->frags,
		.netlink = by_netlink(a, t),
		.extensions = t->ext.used,
	};
}

static struct sl_extensions_input extensions_of(const struct apply *a,
						const struct target *t)
{
	return (struct sl_extensions_input){
		.config = a->config,
		.interface = t->interface,
		.previous = t->has_previous ? &t->previous : NULL,
		.linked = t->attachment.how != SL_ATTACHED_NETLINK &&
			  !by_netlink(a, t),
		.rules_only = a->rules_only,
		.change = a->extension,
	};
}

static int load_target(const struct apply *a, struct target *t)
{
	struct sl_extensions_input extensions = extensions_of(a, t);
	int err = sl_extensions_plan(&extensions, &t->ext, a->error);
	struct sl_generation_input input = input_of(a, t);

	if (!err)
		err = sl_generation_open(&input, &t->generation, a->error);
	if (err || t->interface->attach == SL_ATTACH_SHARED)
		return err; /* libxdp loads it when it attaches it */
	err = sl_generation_load(&t->generation, a->error);
	if (!err)
		err = sl_generation_bind(&input, &t->generation, a->error);
	if (!err)
		err = sl_extensions_load(&extensions, &t->ext, &t->generation,
					 a->error);
	return err;
}

static uint32_t id_of(int prog_fd)
{
	struct bpf_prog_info info = { 0 };
	uint32_t length = sizeof(info);

	if (prog_fd < 0 || bpf_obj_get_info_by_fd(prog_fd, &info, &length) < 0)
		return 0;
	return info.id;
}

/*
 * The new one joins the dispatcher before the old one leaves it: never a moment
 * without a filter, but one with both, in which a packet is counted twice.
 */
static int swap_shared(const struct apply *a, struct target *t)
{
	struct sl_generation_input input = input_of(a, t);
	struct sl_attachment old = t->attachment;
	struct sl_error ignored;
	int err = sl_shared_attach(&t->attachment, t->generation.object,
				   sl_generation_section(&t->generation),
				   t->interface->mode, a->error);

	if (err)
		return err;
	t->generation.prog_fd = bpf_program__fd(t->generation.program);
	t->attachment.how = SL_ATTACHED_SHARED;
	t->attachment.prog_id = id_of(t->generation.prog_fd);
	err = sl_generation_bind(&input, &t->generation, a->error);
	if (!err && t->has_previous)
		err = sl_shared_detach(&old, a->error);
	if (err)
		sl_shared_detach(&t->attachment, &ignored);
	return err;
}

/*
 * Back to what ran before; there is nobody left to tell if that fails too. Under
 * a dispatcher the previous generation has left and cannot join again, so
 * there the new one stays.
 */
static void undo_target(struct target *t)
{
	enum sl_mode mode = t->was_generic ? SL_MODE_GENERIC : SL_MODE_NATIVE;
	struct sl_error ignored;

	sl_extensions_undo(&t->ext, &t->generation);
	if (!t->has_previous) {
		sl_attachment_remove(&t->attachment, t->generation.prog_fd,
				     &ignored);
	} else if (t->interface->attach != SL_ATTACH_SHARED) {
		sl_attachment_set(&t->attachment, t->previous.prog_fd,
				  t->generation.prog_fd, mode, &ignored);
		sl_chain_pin(t->attachment.ifindex,
			     t->previous.map_fd[SL_MAP_EXT]);
	}
}

/* The extensions first, so that no packet enters the new one without them. */
static int swap_exclusive(const struct apply *a, struct target *t)
{
	int err = sl_extensions_install(&t->ext, &t->generation, a->error);

	if (!err)
		err = sl_attachment_set(&t->attachment, t->generation.prog_fd,
					t->has_previous ? t->previous.prog_fd :
							  -1,
					t->interface->mode, a->error);
	if (err) {
		sl_extensions_undo(&t->ext, &t->generation);
		return err;
	}
	err = sl_extensions_pin(&t->ext, &t->generation, &t->attachment,
				a->error);
	if (err)
		undo_target(t);
	return err;
}

static int swap_target(const struct apply *a, struct target *t)
{
	bool shared = t->interface->attach == SL_ATTACH_SHARED;
	int err = shared ? swap_shared(a, t) : swap_exclusive(a, t);

	t->swapped = !err;
	return err;
}

static int swap_all(const struct apply *a)
{
	for (size_t i = 0; i < a->n_targets; i++) {
		struct target *t = &a->targets[i];
		uint64_t start_ns = sl_clock_ns();
		int err = swap_target(a, t);

		t->swap_ns = sl_clock_ns() - start_ns;
		if (!err)
			continue;
		while (i-- > 0)
			undo_target(&a->targets[i]);
		return err;
	}
	return 0;
}

/*
 * One map for all interfaces. A change of rules goes on with what the sets hold
 * by now, on each interface: the running text does not have it.
 */
static int make_live(struct apply *a)
{
	int err;

	for (size_t i = 0; i < a->n_targets && a->rules_only; i++)
		if (!a->targets[i].has_previous)
			return sl_error_set(a->error, -ENOENT,
					    "%s: its filter was detached just "
					    "now; `sluice apply` attaches it",
					    a->targets[i].interface->name);
	if (a->rules_only)
		return 0;
	err = sl_live_plan(a->config, &a->live, a->error);
	if (err || !a->live.bytes)
		return err;
	a->live_fd = sl_live_create(a->config, &a->live, a->error);
	return a->live_fd < 0 ? a->live_fd : 0;
}

/* A dry run takes nothing of what runs. */
static int make_limits(struct apply *a)
{
	int err;

	for (size_t i = 0; i < a->n_targets; i++) {
		const struct target *t = &a->targets[i];

		a->places[i].ifindex = t->attachment.ifindex;
		if (t->has_previous && !a->dry_run)
			a->places[i].previous = &t->previous;
	}
	err = sl_limit_maps_open(a->config, a->places, a->n_targets, &a->limits,
				 a->error);
	for (size_t i = 0; i < a->n_targets && !err; i++)
		sl_limit_maps_assign(&a->limits, a->targets[i].compiled);
	return err;
}

static int prepare_all(struct apply *a)
{
	uint64_t start_ns = sl_clock_ns();
	int err = 0;

	for (size_t i = 0; i < a->n_targets && !err; i++) {
		err = compile_target(a, &a->targets[i]);
		a->targets[i].compile_ns = sl_clock_ns() - start_ns;
		start_ns += a->targets[i].compile_ns;
	}
	sl_rulelist_start(a->config, start_ns);
	if (!err)
		err = make_live(a);
	if (!err)
		err = make_limits(a);
	for (size_t i = 0; i < a->n_targets && !err; i++) {
		err = load_target(a, &a->targets[i]);
		a->targets[i].load_ns = sl_clock_ns() - start_ns;
		start_ns += a->targets[i].load_ns;
	}
	return err;
}

static int run(struct apply *a)
{
	int err = print_text(a);

	for (size_t i = 0; i < a->n_targets && !err; i++)
		err = open_target(&a->targets[i], a->error);
	if (!err)
		err = prepare_all(a);
	if (!err && !a->dry_run)
		err = sl_limit_maps_carry(&a->limits, a->places, a->n_targets,
					  a->error);
	if (!err && !a->dry_run)
		err = swap_all(a);
	if (!err && !a->dry_run)
		sl_limit_maps_sweep(&a->limits);
	return err;
}

static void report(const struct apply *a, struct sl_applied *applied)
{
	for (size_t i = 0; i < a->n_targets; i++) {
		const struct target *t = &a->targets[i];

		applied[i] = (struct sl_applied){
			.generic = t->attachment.generic,
			.shared = t->attachment.how == SL_ATTACHED_SHARED,
			.prog_id = t->swapped ? id_of(t->generation.prog_fd) :
						0,
			.generation = t->has_previous ?
					      t->previous.gen.generation + 1 :
					      1,
			.n_rules = t->compiled->n_rules,
			.table_bytes = t->compiled->gen.table_bytes,
			.compile_ns = t->compile_ns,
			.load_ns = t->load_ns,
			.swap_ns = t->swap_ns,
		};
		memcpy(applied[i].note, t->attachment.note,
		       sizeof(applied[i].note));
		snprintf(applied[i].interface, sizeof(applied[i].interface),
			 "%s", t->interface->name);
	}
}

static void close_target(struct target *t)
{
	sl_extensions_fini(&t->ext);
	sl_generation_close(&t->generation);
	sl_compiled_free(t->compiled);
	if (t->has_previous)
		sl_filter_close(&t->previous);
	sl_attachment_close(&t->attachment);
}

static int apply(struct apply *a, const bool *skip, struct sl_applied *applied)
{
	const struct sl_config *config = a->config;
	int err;

	a->limits = (struct sl_limit_maps){ -1, -1, -1, 0, NULL, NULL, 0 };
	a->targets = calloc(config->n_interfaces + 1, sizeof(*a->targets));
	a->places = calloc(config->n_interfaces + 1, sizeof(*a->places));
	if (!a->targets || !a->places) {
		free(a->targets);
		free(a->places);
		return sl_error_set(a->error, -ENOMEM, "out of memory");
	}
	for (size_t i = 0; i < config->n_interfaces; i++) {
		struct target *t = &a->targets[a->n_targets];

		if (skip && skip[i])
			continue;
		t->interface = &config->interfaces[i];
		t->attachment.link_fd = -1;
		t->generation.prog_fd = -1;
		sl_extensions_init(&t->ext);
		a->n_targets++;
	}
	err = run(a);
	if (!err)
		report(a, applied);
	for (size_t i = 0; i < a->n_targets; i++)
		close_target(&a->targets[i]);
	sl_limit_maps_close(&a->limits);
	if (a->live_fd >= 0)
		close(a->live_fd);
	free(a->targets);
	free(a->places);
	free(a->text);
	return err;
}

int sl_apply(struct sl_config *config, const bool *skip, bool dry_run,
	     struct sl_applied *applied, struct sl_error *error)
{
	struct apply a = { .config = config,
			   .live_fd = -1,
			   .dry_run = dry_run,
			   .error = error };
	int err = apply(&a, skip, applied);

	if (!dry_run)
		sl_attachment_sweep();
	return err;
}

int sl_apply_rules(struct sl_config *config, const bool *skip,
		   const struct sl_extension_change *extension,
		   struct sl_applied *applied, struct sl_error *error)
{
	struct apply a = { .config = config,
			   .live_fd = -1,
			   .rules_only = true,
			   .extension = extension,
			   .error = error };

	return apply(&a, skip, applied);
}
