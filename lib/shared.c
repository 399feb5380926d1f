// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "shared.h"

#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

#include <bpf/libbpf.h>
#include <xdp/libxdp.h>

#include "attach.h"
#include "error.h"
#include "log.h"
#include "sluice/abi.h"

static bool is_ours(struct xdp_program *program)
{
	const char *name = xdp_program__name(program);

	return name && (strcmp(name, SL_PROGRAM) == 0 ||
			strcmp(name, SL_PROGRAM_FRAGS) == 0);
}

/* Ours with that id, or any of ours for id 0. */
static struct xdp_program *find(struct xdp_multiprog *dispatcher, uint32_t id)
{
	struct xdp_program *program = NULL;

	while ((program = xdp_multiprog__next_prog(program, dispatcher)))
		if (is_ours(program) && (!id || xdp_program__id(program) == id))
			return program;
	return NULL;
}

int sl_shared_find(int ifindex, uint32_t *prog_id)
{
	struct xdp_multiprog *dispatcher =
		xdp_multiprog__get_from_ifindex(ifindex);
	struct xdp_program *program;
	int err = -ENOENT;

	if (libxdp_get_error(dispatcher))
		return -ENOENT;
	program = find(dispatcher, 0);
	if (program) {
		*prog_id = xdp_program__id(program);
		err = 0;
	}
	xdp_multiprog__close(dispatcher);
	return err;
}

static enum xdp_attach_mode xdp_mode(enum sl_mode mode)
{
	switch (mode) {
	case SL_MODE_GENERIC:
		return XDP_MODE_SKB;
	case SL_MODE_NATIVE:
		return XDP_MODE_NATIVE;
	default:
		return XDP_MODE_UNSPEC;
	}
}

/* Is what libxdp attached really a dispatcher? */
static bool is_dispatched(int ifindex)
{
	struct xdp_multiprog *dispatcher =
		xdp_multiprog__get_from_ifindex(ifindex);
	bool dispatched;

	if (libxdp_get_error(dispatcher))
		return false;
	dispatched = !xdp_multiprog__is_legacy(dispatcher);
	xdp_multiprog__close(dispatcher);
	return dispatched;
}

/* Why, and what to do: libxdp pins below /sys/fs/bpf and needs freplace. */
static const char *no_dispatcher(void)
{
	struct statfs fs;

	if (statfs("/sys/fs/bpf", &fs) < 0 || fs.f_type != BPF_FS_MAGIC)
		return "it needs a bpffs: `mount -t bpf bpf /sys/fs/bpf`, or "
		       "say `attach exclusive`";
	return "this kernel refuses freplace programs: say `attach exclusive`";
}

int sl_shared_attach(const struct sl_attachment *attachment,
		     struct bpf_object *object, const char *section,
		     enum sl_mode mode, struct sl_error *error)
{
	struct xdp_program *program =
		xdp_program__from_bpf_obj(object, section);
	long err = libxdp_get_error(program);

	if (err)
		return sl_error_set(error, (int)err, "%s: attach shared: %s",
				    attachment->interface, strerror((int)-err));
	sl_log_clear();
	err = xdp_program__attach(program, attachment->ifindex, xdp_mode(mode),
				  0);
	if (err) {
		sl_error_set(error, (int)err, "%s: attach shared: %s\n%s",
			     attachment->interface, strerror((int)-err),
			     sl_log_text());
	} else if (!is_dispatched(attachment->ifindex)) {
		xdp_program__detach(program, attachment->ifindex,
				    xdp_mode(mode), 0);
		err = sl_error_set(error, -EOPNOTSUPP,
				   "%s: attach shared: libxdp could not make "
				   "its dispatcher and attached the filter "
				   "alone; that is undone: %s",
				   attachment->interface, no_dispatcher());
	}
	xdp_program__close(program);
	return (int)err;
}

int sl_shared_detach(struct sl_attachment *attachment, struct sl_error *error)
{
	struct xdp_multiprog *dispatcher =
		xdp_multiprog__get_from_ifindex(attachment->ifindex);
	struct xdp_program *program;
	int err = -ENOENT;

	if (!libxdp_get_error(dispatcher)) {
		program = find(dispatcher, attachment->prog_id);
		if (program)
			err = xdp_program__detach(
				program, attachment->ifindex,
				xdp_multiprog__attach_mode(dispatcher), 0);
		xdp_multiprog__close(dispatcher);
	}
	if (err)
		return sl_error_set(error, err, "%s: detach shared: %s",
				    attachment->interface, strerror(-err));
	attachment->how = SL_ATTACHED_NOTHING;
	attachment->prog_id = 0;
	return 0;
}
