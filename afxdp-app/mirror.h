/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The interfaces of `mirror` stages come and go: the agent looks them up by name, as the data
 * plane may not, and tells it by which index each is to be had (channel.h). Main thread.
 */
#ifndef SLUICE_FWD_MIRROR_H
#define SLUICE_FWD_MIRROR_H

struct sl_fwd;
struct sl_fwd_stage;

struct sl_fwd_mirror {
	int ifindex; /* copies go there */
	int refused; /* one of that name that hangs together with a wire: said */
};

/* Agent: room for one each stage, as they are now. 0 or -ENOMEM. */
int sl_fwd_mirrors_open(struct sl_fwd *fwd);
void sl_fwd_mirrors_close(struct sl_fwd *fwd);

/* Agent: looks again; what is there anew is said. */
void sl_fwd_mirrors_watch(struct sl_fwd *fwd);

/* Data plane: copies of this stage, if it is a mirror, go to interface `ifindex` from now on. */
void sl_fwd_mirror_move(struct sl_fwd_stage *stage, int ifindex);

#endif /* SLUICE_FWD_MIRROR_H */
