// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Two ways to attach. A bpf_link holds the program as long as the link is
 * pinned, is updated in place with a check of what it replaces, and cannot be
 * overridden by netlink; its mode is fixed. By netlink the program belongs to
 * the device, and whoever comes next may replace it; a filter that was attached
 * so (`ip link ... xdp obj`, DPDK) stays so, because a link is refused while it
 * is there, and taking it off first would leave the interface open.
 *
 * The pin is named by the interface's index, so it is found again after a
 * renaming, and is believed only if the kernel says that this link holds the
 * program that the interface runs.
 */
#include "attach.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <linux/if_link.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "error.h"
#include "log.h"
#include "pins.h"
#include "shared.h"

static uint32_t mode_flag(bool generic)
{
	return generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;
}

const char *sl_attachment_mode(const struct sl_attachment *attachment)
{
	return attachment->generic ? "generic" : "native";
}

static void read_prog_name(struct sl_attachment *a)
{
	struct bpf_prog_info info = { 0 };
	uint32_t length = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(a->prog_id);

	if (fd < 0)
		return;
	if (bpf_obj_get_info_by_fd(fd, &info, &length) == 0)
		snprintf(a->prog_name, sizeof(a->prog_name), "%s", info.name);
	close(fd);
}

/* Is it an XDP link whose interface is gone? */
static bool is_dead_link(int fd)
{
	struct bpf_link_info info = { 0 };
	uint32_t length = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &length) == 0 &&
	       info.type == BPF_LINK_TYPE_XDP && info.xdp.ifindex == 0;
}

/* Our pinned link, if it is what holds the program. */
static void find_link(struct sl_attachment *a)
{
	struct bpf_link_info info = { 0 };
	uint32_t length = sizeof(info);
	char path[SL_PIN_PATH_BYTES];
	int fd;

	if (sl_pins_find() < 0 ||
	    sl_pins_link(a->ifindex, path, sizeof(path)) < 0)
		return;
	fd = bpf_obj_get(path);
	if (fd < 0)
		return;
	if (bpf_obj_get_info_by_fd(fd, &info, &length) == 0 &&
	    info.type == BPF_LINK_TYPE_XDP &&
	    info.xdp.ifindex == (uint32_t)a->ifindex &&
	    info.prog_id == a->prog_id) {
		a->link_fd = fd;
		a->how = SL_ATTACHED_LINK;
		return;
	}
	close(fd);
}

/* A link, and the extensions that its filter had. */
static int unpin(const char *link)
{
	char chain[PATH_MAX + sizeof(SL_PIN_CHAIN)];

	snprintf(chain, sizeof(chain), "%s" SL_PIN_CHAIN, link);
	unlink(chain);
	return unlink(link);
}

/* Unpins the dead links of one network namespace's directory. */
static void sweep_directory(const char *directory)
{
	struct dirent *entry;
	DIR *pins = opendir(directory);

	if (!pins)
		return;
	while ((entry = readdir(pins))) {
		char path[PATH_MAX];
		int fd;

		snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
		fd = bpf_obj_get(path);
		if (fd < 0)
			continue;
		if (is_dead_link(fd))
			unpin(path);
		close(fd);
	}
	closedir(pins);
	rmdir(directory); /* if nothing is left in it */
}

void sl_attachment_sweep(void)
{
	struct dirent *entry;
	DIR *root;

	if (sl_pins_find() < 0)
		return;
	root = opendir(SL_PINS_ROOT);
	if (!root)
		return;
	while ((entry = readdir(root))) {
		char path[SL_PIN_PATH_BYTES + sizeof(entry->d_name)];

		/* Ours are numbers; others put things on this bpffs, too. */
		if (entry->d_name[strspn(entry->d_name, "0123456789")])
			continue;
		snprintf(path, sizeof(path), SL_PINS_ROOT "/%s", entry->d_name);
		sweep_directory(path);
	}
	closedir(root);
}

void sl_attachment_remedy(const struct sl_attachment *attachment, char *text,
			  size_t bytes)
{
	snprintf(text, bytes,
		 "`ip link set dev %s %s off`, or the tool that attached it "
		 "(`bpftool net` and `bpftool link` tell how)",
		 attachment->interface,
		 attachment->generic ? "xdpgeneric" : "xdpdrv");
}

int sl_attachment_open(const char *interface, struct sl_attachment *attachment,
		       struct sl_error *error)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	struct sl_attachment a = { .link_fd = -1 };
	int err;

	snprintf(a.interface, sizeof(a.interface), "%s", interface);
	a.ifindex = (int)if_nametoindex(interface);
	if (!a.ifindex)
		return sl_error_set(
			error, -ENODEV,
			"%s: no such interface in this network "
			"namespace; `ip link` lists those there are",
			interface);
	err = bpf_xdp_query(a.ifindex, 0, &query);
	if (err)
		return sl_error_set(error, err, "%s: query XDP: %s", interface,
				    strerror(-err));
	a.prog_id = query.drv_prog_id ? query.drv_prog_id : query.skb_prog_id;
	a.generic = !query.drv_prog_id && query.skb_prog_id;
	find_link(&a);
	if (a.prog_id) {
		if (a.how != SL_ATTACHED_LINK)
			a.how = SL_ATTACHED_NETLINK;
		read_prog_name(&a);
	}
	if (strcmp(a.prog_name, "xdp_dispatcher") == 0) {
		uint32_t dispatcher = a.prog_id;

		if (sl_shared_find(a.ifindex, &a.prog_id) == 0)
			a.dispatcher_id = dispatcher;
	}
	if (a.dispatcher_id) {
		a.how = SL_ATTACHED_SHARED;
		read_prog_name(&a);
	}
	*attachment = a;
	return 0;
}

void sl_attachment_close(struct sl_attachment *attachment)
{
	if (attachment->link_fd >= 0)
		close(attachment->link_fd);
	attachment->link_fd = -1;
}

/*
 * BPF_LINK_CREATE tells no more than an errno, netlink says it in words. So a
 * refused link is tried by netlink for the text; should that be accepted, it is
 * undone at once.
 */
static const char *refusal_text(const struct sl_attachment *a, int prog_fd,
				bool generic, int err)
{
	uint32_t flags = mode_flag(generic) | XDP_FLAGS_UPDATE_IF_NOEXIST;
	const char *text;

	sl_log_clear();
	if (bpf_xdp_attach(a->ifindex, prog_fd, flags, NULL) == 0)
		bpf_xdp_detach(a->ifindex, mode_flag(generic), NULL);
	text = sl_log_extack();
	return text ? text : strerror(-err);
}

static const char *refusal_remedy(int err, bool generic)
{
	if (err == -EPERM || err == -EACCES)
		return "run as root (CAP_NET_ADMIN, CAP_BPF)";
	if (err == -EBUSY || err == -EEXIST)
		return "another program was attached meanwhile; try again";
	if (generic)
		return "see `ip -d link show` for the interface's state";
	if (err == -EOPNOTSUPP)
		return "say `mode generic`, or `mode auto`";
	return "lower the MTU, say `frags on`, or try `mode generic`";
}

/* Is it the driver that refused, so that generic mode may do? */
static bool is_driver_refusal(int err)
{
	return err != -EBUSY && err != -EEXIST && err != -EPERM &&
	       err != -EACCES && err != -ENOMEM;
}

static int pin_link(struct sl_attachment *a, int fd)
{
	char path[SL_PIN_PATH_BYTES];
	int old, err = sl_pins_directory(path, sizeof(path));

	if (err)
		return err;
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	err = sl_pins_link(a->ifindex, path, sizeof(path));
	if (err)
		return err;
	old = bpf_obj_get(path);
	if (old >= 0) {
		if (is_dead_link(old))
			unpin(path);
		close(old);
	}
	return bpf_obj_pin(fd, path) < 0 ? -errno : 0;
}

/*
 * *refused is what the kernel said of attaching, as distinct from pinning.
 */
static int attach_link(struct sl_attachment *a, int prog_fd, bool generic,
		       int *refused)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = mode_flag(generic));
	int err, fd = bpf_link_create(prog_fd, a->ifindex, BPF_XDP, &opts);

	if (fd < 0) {
		*refused = -errno;
		return *refused;
	}
	err = pin_link(a, fd);
	if (err) {
		close(fd); /* the link, and with it the program, is detached */
		return err;
	}
	a->link_fd = fd;
	a->how = SL_ATTACHED_LINK;
	a->generic = generic;
	return 0;
}

static int attach_netlink(struct sl_attachment *a, int prog_fd, bool generic,
			  int *refused)
{
	uint32_t flags = mode_flag(generic) | XDP_FLAGS_UPDATE_IF_NOEXIST;

	*refused = bpf_xdp_attach(a->ifindex, prog_fd, flags, NULL);
	if (*refused)
		return *refused;
	a->how = SL_ATTACHED_NETLINK;
	a->generic = generic;
	return 0;
}

static int attach_as(struct sl_attachment *a, int prog_fd, bool generic,
		     bool pins, struct sl_error *error)
{
	int refused = 0;
	int err = pins ? attach_link(a, prog_fd, generic, &refused) :
			 attach_netlink(a, prog_fd, generic, &refused);

	if (!err)
		return 0;
	if (!refused)
		return sl_error_set(error, -EIO,
				    "%s: pin its link below " SL_PINS_ROOT
				    ": %s; is that file system full?",
				    a->interface, strerror(-err));
	return sl_error_set(error, err, "%s: attach %s XDP: %s; %s",
			    a->interface, generic ? "generic" : "native",
			    refusal_text(a, prog_fd, generic, err),
			    refusal_remedy(err, generic));
}

static int attach_new(struct sl_attachment *a, int prog_fd, enum sl_mode mode,
		      struct sl_error *error)
{
	bool pins = sl_pins_prepare() == 0;
	int err = attach_as(a, prog_fd, mode == SL_MODE_GENERIC, pins, error);

	if (err && err != -EIO && mode == SL_MODE_AUTO &&
	    is_driver_refusal(err)) {
		snprintf(a->note, sizeof(a->note),
			 "generic mode, which is slower, because native was "
			 "refused: %.150s",
			 refusal_text(a, prog_fd, false, err));
		err = attach_as(a, prog_fd, true, pins, error);
	}
	if (!err && !pins)
		snprintf(a->note, sizeof(a->note),
			 "no place for a bpffs under /run: attached by "
			 "netlink, so another program's exit may strip it");
	return err;
}

static int replace_netlink(struct sl_attachment *a, int prog_fd,
			   int old_prog_fd, enum sl_mode mode,
			   struct sl_error *error)
{
	LIBBPF_OPTS(bpf_xdp_attach_opts, opts, .old_prog_fd = old_prog_fd);
	const char *text;
	int err;

	sl_log_clear();
	err = bpf_xdp_attach(a->ifindex, prog_fd,
			     mode_flag(a->generic) | XDP_FLAGS_REPLACE, &opts);
	if (err) {
		text = sl_log_extack();
		return sl_error_set(error, err,
				    "%s: replace program id %u: %s; who "
				    "attached it holds it, detach it there",
				    a->interface, a->prog_id,
				    text ? text : strerror(-err));
	}
	if ((mode == SL_MODE_NATIVE && a->generic) ||
	    (mode == SL_MODE_GENERIC && !a->generic))
		snprintf(a->note, sizeof(a->note),
			 "still in %s mode: a filter attached by netlink is "
			 "replaced in the mode it has",
			 sl_attachment_mode(a));
	return 0;
}

static int replace_link(struct sl_attachment *a, int prog_fd, int old_prog_fd,
			struct sl_error *error)
{
	LIBBPF_OPTS(bpf_link_update_opts, opts, .flags = BPF_F_REPLACE,
		    .old_prog_fd = (uint32_t)old_prog_fd);

	if (bpf_link_update(a->link_fd, prog_fd, &opts) == 0)
		return 0;
	return sl_error_set(error, -errno,
			    "%s: replace program id %u: %s; try again",
			    a->interface, a->prog_id, strerror(errno));
}

/*
 * A link's mode is fixed when it is made, so this is two steps, with a moment
 * without a filter between them. No signal may end the process there.
 */
static int change_mode(struct sl_attachment *a, int prog_fd, int old_prog_fd,
		       enum sl_mode mode, struct sl_error *error)
{
	enum sl_mode old = a->generic ? SL_MODE_GENERIC : SL_MODE_NATIVE;
	struct sl_error again;
	sigset_t all, before;
	size_t used;
	int err;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	err = sl_attachment_remove(a, old_prog_fd, error);
	if (err)
		goto out;
	err = attach_new(a, prog_fd, mode, error);
	if (!err) {
		snprintf(a->note, sizeof(a->note),
			 "the mode changed: the interface was unfiltered for a "
			 "moment");
		goto out;
	}
	used = strlen(error->text);
	if (attach_new(a, old_prog_fd, old, &again) == 0)
		snprintf(error->text + used, sizeof(error->text) - used,
			 "\n%s: its old filter is back, after a moment without",
			 a->interface);
	else
		snprintf(error->text + used, sizeof(error->text) - used,
			 "\n%s: IS UNFILTERED NOW: its old filter could not be "
			 "attached again: %.300s",
			 a->interface, again.text);
out:
	sigprocmask(SIG_SETMASK, &before, NULL);
	return err;
}

int sl_attachment_set(struct sl_attachment *attachment, int prog_fd,
		      int old_prog_fd, enum sl_mode mode,
		      struct sl_error *error)
{
	bool same_mode = mode == SL_MODE_AUTO ||
			 (mode == SL_MODE_GENERIC) == attachment->generic;

	attachment->note[0] = '\0';
	switch (attachment->how) {
	case SL_ATTACHED_NOTHING:
		return attach_new(attachment, prog_fd, mode, error);
	case SL_ATTACHED_LINK:
		if (same_mode)
			return replace_link(attachment, prog_fd, old_prog_fd,
					    error);
		return change_mode(attachment, prog_fd, old_prog_fd, mode,
				   error);
	case SL_ATTACHED_NETLINK:
		return replace_netlink(attachment, prog_fd, old_prog_fd, mode,
				       error);
	default:
		return sl_error_set(error, -EBUSY,
				    "%s: a libxdp dispatcher holds it; say "
				    "`attach shared`, or `sluice down %s` "
				    "first",
				    attachment->interface,
				    attachment->interface);
	}
}

int sl_attachment_remove(struct sl_attachment *attachment, int old_prog_fd,
			 struct sl_error *error)
{
	LIBBPF_OPTS(bpf_xdp_attach_opts, opts, .old_prog_fd = old_prog_fd);
	char path[SL_PIN_PATH_BYTES];
	int err;

	if (attachment->how == SL_ATTACHED_SHARED)
		return sl_shared_detach(attachment, error);
	if (attachment->how == SL_ATTACHED_NETLINK) {
		err = bpf_xdp_detach(attachment->ifindex,
				     mode_flag(attachment->generic) |
					     XDP_FLAGS_REPLACE,
				     &opts);
		if (err)
			return sl_error_set(error, err, "%s: detach: %s",
					    attachment->interface,
					    strerror(-err));
	} else if (attachment->how == SL_ATTACHED_LINK) {
		err = sl_pins_link(attachment->ifindex, path, sizeof(path));
		if (err || bpf_link_detach(attachment->link_fd) < 0 ||
		    unpin(path) < 0)
			return sl_error_set(error, err ? err : -errno,
					    "%s: detach: %s",
					    attachment->interface,
					    strerror(err ? -err : errno));
		sl_attachment_close(attachment);
	}
	attachment->how = SL_ATTACHED_NOTHING;
	attachment->prog_id = 0;
	return 0;
}
