/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The stages of the configuration, and the steps of each worker through them.
 *
 *              worker 0     worker 1
 *   police     step         step        one stage, its steps share what is in `own`
 *   capture    step         step        and each has a `state` of its own
 *   ...
 *
 * A worker runs each burst through its steps in the order of the file. A step sees the packets
 * that no one has dropped; one that it drops is not seen by the next.
 *
 * Threads: opening, starting, stopping and closing belong to the main thread; steps to
 * their worker, and once that has ended to the main thread. Counters have one writer each and
 * are read by any thread.
 */
#ifndef SLUICE_FWD_STAGE_H
#define SLUICE_FWD_STAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "burst.h"

struct sl_courier;
struct sl_fwd;
struct sl_fwd_stage_ops;
struct sl_stage;

struct sl_fwd_stage {
	const struct sl_fwd_stage_ops *ops;
	const struct sl_stage *config; /* the caller's */
	void *own;		       /* the kind's; NULL: not open */
	struct sl_courier *courier;    /* in `own`; NULL: it has none */
	/*
	 * `rule`: its slot on each interface (rules.h), only packets of which are seen; atomic
	 * words of the main thread. NULL: all packets.
	 */
	uint32_t *slots;
	/* The courier's: copies that went where they should, and that did not. */
	uint64_t copied, failed;
	int err;  /* atomic: why the last copy failed, -errno; 0: it did not */
	int told; /* of these, what was said */
};

/* One stage in one worker: a cache line, as workers write their own at every burst. */
struct sl_fwd_step {
	struct sl_fwd_stage *stage;
	void *state;	  /* the kind's */
	uint64_t packets; /* seen */
	uint64_t dropped; /* of these */
	uint64_t lost;	  /* copies for which the spool had no room */
	uint64_t wakes;	  /* of the courier: system calls */
	uint64_t pad[2];
};

_Static_assert(sizeof(struct sl_fwd_step) == 64, "a step is a cache line");

struct sl_fwd_stages {
	struct sl_fwd_stage *stages;
	uint32_t n;
	uint32_t workers;
	struct sl_fwd_step *steps; /* of worker w: steps[w * n] on */
};

/* What is left of a burst at one step. */
struct sl_fwd_batch {
	const struct sl_fwd_burst *burst;
	struct sl_fwd_packet *packets[SL_BURST];
	uint32_t n;
	uint64_t now_ns; /* CLOCK_MONOTONIC */
};

/*
 * A kind of stage. Functions other than open and process may be NULL. What open and attach
 * return is 0, -EDOM (the configuration is wrong) or another -errno, after a message.
 */
struct sl_fwd_stage_ops {
	const char
		*copies; /* what its courier does: "write"; NULL: it has none */
	/* Sets stage->own and courier; on failure nothing is held. -ENOMEM needs no message. */
	int (*open)(struct sl_fwd_stage *stage, const struct sl_fwd *fwd);
	/* Sets step->state. */
	int (*attach)(struct sl_fwd_stage *stage, struct sl_fwd_step *step,
		      uint32_t worker, uint32_t workers);
	/* The worker's: may set `drop` of the batch's packets, and change their bytes. */
	void (*process)(struct sl_fwd_step *step,
			const struct sl_fwd_batch *batch);
	void (*detach)(struct sl_fwd_step *step);
	void (*close)(struct sl_fwd_stage *stage);
};

extern const struct sl_fwd_stage_ops sl_fwd_stage_police;
extern const struct sl_fwd_stage_ops sl_fwd_stage_mirror;
extern const struct sl_fwd_stage_ops sl_fwd_stage_capture;
extern const struct sl_fwd_stage_ops sl_fwd_stage_user;

/*
 * Fills fwd->stages by its config, for its ifaces and workers, and gives the workers their
 * steps. Opens files, sockets and objects: needs the privileges of the start. 0, -EDOM or
 * another -errno as above; sl_fwd_stages_close() in either case.
 */
int sl_fwd_stages_open(struct sl_fwd *fwd);

/* Starts the couriers; privileges have been reduced by now. 0 or -errno, after a message. */
int sl_fwd_stages_start(struct sl_fwd_stages *stages);

/* Says what the couriers met since the last time. */
void sl_fwd_stages_watch(struct sl_fwd_stages *stages);

/*
 * After the workers ended: has the copies carried for up to a second a stage; those left are
 * `failed`. A courier that does not return for a second more is said, and left behind.
 */
void sl_fwd_stages_stop(struct sl_fwd_stages *stages);
void sl_fwd_stages_close(struct sl_fwd_stages *stages);

/* Runs a burst through `n` steps of one worker. */
void sl_fwd_steps_run(struct sl_fwd_step *steps, uint32_t n,
		      struct sl_fwd_burst *burst, uint64_t now_ns);

/* Its counters of all workers together. Any thread. */
struct sl_fwd_stage_counts {
	uint64_t packets, dropped, copied, lost, wakes;
};

void sl_fwd_stage_count(const struct sl_fwd_stages *stages, uint32_t i,
			struct sl_fwd_stage_counts *counts);

/* "capture "/var/tmp/x.pcapng" (line 7)", for messages; returns `text`. */
#define SL_FWD_STAGE_NAME 256
const char *sl_fwd_stage_name(const struct sl_fwd_stage *stage, char *text);

/* What the configuration says after the stage's word: "100kpps", "eth3", a file. */
#define SL_FWD_STAGE_TARGET 4096
const char *sl_fwd_stage_target(const struct sl_fwd_stage *stage, char *text);

#endif /* SLUICE_FWD_STAGE_H */
