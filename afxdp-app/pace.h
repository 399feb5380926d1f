/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How long a worker lets packets gather.
 *
 * A TX kick costs about as much as sending one packet, so a loaded worker holds kicks back: on
 * each port until a burst has gathered, at most SL_PACE_HOLD_NS. Sooner, once as much time has
 * passed as SL_PACE_BATCH packets take to come, or none came where several could have, the kick
 * goes if the worker has the credit: each packet is one, a kick costs SL_PACE_BATCH. So there is
 * at most one such kick for as many packets, however they come and by however many ports.
 *
 * "Loaded" is SL_PACE_LOAD packets a millisecond, measured in windows of about one. Below that,
 * latency goes first: a packet is kicked in the round it came in. A nap is a loaded worker's
 * sleep that no packet ends: as long as a burst takes to come.
 *
 * One thread, the worker's. No system call, no clock of its own.
 */
#ifndef SLUICE_FWD_PACE_H
#define SLUICE_FWD_PACE_H

#include <stdbool.h>
#include <stdint.h>

/* From the target of at most 1/32 system calls a packet. */
#define SL_PACE_BATCH 32u
/* Packets a millisecond; load ends at half, or near one threshold it would go to and fro. */
#define SL_PACE_LOAD 64u
#define SL_PACE_LOAD_LEFT 32u
/* What SL_PACE_BATCH packets take at the threshold. */
#define SL_PACE_HOLD_NS 500000ull

struct sl_pace {
	uint64_t window_start_ns, window_packets;
	uint64_t seen; /* packets in the last whole window */
	bool loaded;
	uint32_t credit;    /* packets that no early kick was taken for */
	uint64_t packet_ns; /* when the last came */
	uint64_t pause_ns;  /* none for so long is a pause */
	uint64_t hold_ns;   /* SL_PACE_BATCH packets take so long to come */
	uint64_t nap_ns;    /* how long a nap is; 0: too short for one */
};

/* A round brought so many packets. */
void sl_pace_add(struct sl_pace *pace, uint32_t packets, uint64_t now_ns);

/* Whether what is to be sent on a port, since `since_ns`, waits. */
bool sl_pace_holds(const struct sl_pace *pace, uint32_t pending,
		   uint64_t since_ns, uint64_t now_ns);

/* A port was kicked. */
void sl_pace_kicked(struct sl_pace *pace);

/* How long the window was that ended just now; 0: it goes on. */
uint64_t sl_pace_measure(struct sl_pace *pace, uint64_t now_ns);

#endif /* SLUICE_FWD_PACE_H */
