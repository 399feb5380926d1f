/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What XDP program an interface has, and putting ours there.
 *
 * Ours is held by a bpf_link pinned on Sluice's bpffs: replaced atomically and
 * not stripped by another program's exit. A Sluice filter that somebody else
 * attached by netlink (`ip`, DPDK) is replaced in place by netlink. Anybody
 * else's program is left alone.
 */
#ifndef SLUICE_ATTACH_H
#define SLUICE_ATTACH_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "config.h"

struct sl_error;

enum sl_attached {
	SL_ATTACHED_NOTHING,
	SL_ATTACHED_LINK,    /* by our pinned link */
	SL_ATTACHED_NETLINK, /* by netlink, or by a link that is not ours */
	SL_ATTACHED_SHARED,  /* libxdp's dispatcher */
};

struct sl_attachment {
	char interface[IF_NAMESIZE];
	int ifindex;
	enum sl_attached how;
	bool generic;		/* else native, where a program is attached */
	uint32_t prog_id;	/* the filter's under a dispatcher; 0: none */
	uint32_t dispatcher_id; /* SL_ATTACHED_SHARED, else 0 */
	char prog_name[16];
	int link_fd;	/* SL_ATTACHED_LINK, else -1 */
	char note[256]; /* what the operator should know of the last change */
};

/*
 * Asks the kernel. 0 and the caller closes *attachment, or -errno with a
 * message (-ENODEV: no such interface).
 */
int sl_attachment_open(const char *interface, struct sl_attachment *attachment,
		       struct sl_error *error);

void sl_attachment_close(struct sl_attachment *attachment);

/*
 * Puts prog_fd in place of what `attachment` says is there (nothing, or the
 * filter that old_prog_fd is; -1 for none), without a moment in which neither
 * is there, except when the mode must change. On return *attachment tells how
 * it is attached now. 0, or -errno with a message: what was there is still
 * there, or the message says that it is not.
 */
int sl_attachment_set(struct sl_attachment *attachment, int prog_fd,
		      int old_prog_fd, enum sl_mode mode,
		      struct sl_error *error);

/* Detaches. 0, or -errno with a message. */
int sl_attachment_remove(struct sl_attachment *attachment, int old_prog_fd,
			 struct sl_error *error);

/*
 * Unpins the links, in every network namespace, whose interface is gone: they
 * hold nothing but memory, and numbers are given out again.
 */
void sl_attachment_sweep(void);

/* How to take off a program that is not ours to take off; `text` is filled. */
void sl_attachment_remedy(const struct sl_attachment *attachment, char *text,
			  size_t bytes);

/* "native" or "generic". */
const char *sl_attachment_mode(const struct sl_attachment *attachment);

#endif /* SLUICE_ATTACH_H */
