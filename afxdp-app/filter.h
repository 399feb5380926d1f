/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The XDP program on an interface, as far as the forwarder cares: its XSKMAP, found through
 * the program's id (program -> map ids -> the map named xsks_map), whoever attached it,
 * libxdp's dispatcher included. Main thread. Opening BPF objects by id needs CAP_SYS_ADMIN.
 */
#ifndef SLUICE_FWD_FILTER_H
#define SLUICE_FWD_FILTER_H

#include <stdbool.h>
#include <stdint.h>

struct sl_fwd_filter {
	uint32_t program_id; /* as attached: under a dispatcher, the dispatcher's */
	uint32_t map_id;
	uint32_t map_entries; /* RX queues that it covers */
	int map_fd;	      /* owned; -1: none */
	int totals_fd; /* owned: what it has counted; -1: a program of another's */
	bool direct; /* native, and behind no dispatcher: it sees all that comes in */
};

/*
 * The id of the program attached to the interface, in whichever mode; 0: none. Needs no
 * capability. 0 or -errno.
 */
int sl_fwd_filter_program(int ifindex, uint32_t *program_id);

/*
 * Opens the filter's maps, whatever reload is under way meanwhile. -ENOENT: no program is
 * attached; -ENOKEY: one is, but it has no XSKMAP named xsks_map (filter->program_id is set, to
 * name it); other -errno.
 */
int sl_fwd_filter_open(int ifindex, struct sl_fwd_filter *filter);
void sl_fwd_filter_close(struct sl_fwd_filter *filter);

/*
 * How many packets it has seen, and of these directed to sockets; 0 where that is not known.
 * Needs no capability.
 */
void sl_fwd_filter_count(const struct sl_fwd_filter *filter, uint64_t *seen,
			 uint64_t *forwarded);

/* Directs the packets of an RX queue to the socket. 0 or -errno. */
int sl_fwd_filter_insert(const struct sl_fwd_filter *filter, uint32_t queue,
			 int xsk_fd);

/*
 * The rule's fallback applies to the queue's packets from now on; those of a NAPI poll that is
 * under way may still go to the socket, until sl_fwd_filter_settle() returns.
 */
void sl_fwd_filter_remove(const struct sl_fwd_filter *filter, uint32_t queue);

/* Waits for all such polls, on any interface: an RCU grace period, milliseconds. */
void sl_fwd_filter_settle(void);

#endif /* SLUICE_FWD_FILTER_H */
