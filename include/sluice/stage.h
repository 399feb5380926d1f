/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The interface between sluice-fwd and a stage of your own, a shared object that the
 * configuration names: stage "FILE.so". docs/stages.md tells how to build one.
 *
 * The object defines one symbol, `sluice_stage`. For each worker, one after the other, init
 * is called at the start and fini at the end, both in the main thread; in between process is
 * called with the packets of that worker. Calls with the same state never overlap; calls with
 * different states do, so what they share is the stage's to protect.
 *
 * process runs in the data path: it holds no lock, allocates nothing, makes no system call and
 * waits for nothing, or all packets of that worker wait with it. It runs in the data plane's
 * process, without capabilities and under seccomp, as fini does; a fault in it, or a system call
 * that is not allowed there, ends the forwarder.
 */
#ifndef SLUICE_STAGE_H
#define SLUICE_STAGE_H

#include <stdint.h>
#include <sys/uio.h>

/* Goes up whenever a struct below changes; an object of another number is refused. */
#define SL_STAGE_ABI 1u

/* `rule` where the filter did not say. */
#define SL_STAGE_RULE_NONE UINT32_MAX

struct sl_stage_packet {
	/*
	 * The frame from the Ethernet header on, without FCS; more than one if it is jumbo. Valid
	 * during the call; its bytes may be changed.
	 */
	const struct iovec *buffers;
	uint32_t n_buffers; /* at least 1 */
	uint32_t bytes;	    /* of all buffers; at least 14 in the first */
	uint32_t in,
		out; /* interface indices: where it came from, where it leaves */
	uint32_t queue; /* on which it came */
	uint32_t rule;	/* slot of the filter's rule that forwarded it */
	uint32_t drop;	/* 0; anything else drops it */
	uint32_t reserved;
};

struct sl_stage_burst {
	uint64_t now_ns; /* CLOCK_MONOTONIC, when the burst was taken */
	struct sl_stage_packet *packets;
	uint32_t n; /* 1 to 64 */
	uint32_t reserved;
};

struct sl_stage_start {
	uint32_t worker;  /* 0 to workers - 1 */
	uint32_t workers; /* how many there are: as many states */
};

struct sl_stage_object {
	uint32_t abi; /* SL_STAGE_ABI */
	uint32_t reserved;
	/*
	 * Sets *state, which is NULL, to what the other two get. 0, or -errno and nothing is
	 * held: the forwarder does not start, or, at a reload, goes on with what it has. Privileges
	 * have not been given up yet. In a handover the states of the data plane before are still
	 * in use, in another process: what both would hold alone, a port or a lock, is waited
	 * for in vain. May be NULL.
	 */
	int (*init)(const struct sl_stage_start *start, void **state);
	/* Looks at each packet, changes bytes, sets `drop`. Changes to all else are ignored. */
	void (*process)(void *state, const struct sl_stage_burst *burst);
	/* After the last packet; the counterpart of an init that returned 0. May be NULL. */
	void (*fini)(void *state);
};

extern const struct sl_stage_object sluice_stage;

#endif /* SLUICE_STAGE_H */
