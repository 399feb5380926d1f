/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What stands in sl_ext (sluice/ext.h): the programs of one filter's chain.
 * Not thread-safe; one writer at a time (lock.h).
 */
#ifndef SLUICE_CHAIN_H
#define SLUICE_CHAIN_H

#include <stdbool.h>

#include "sluice/ext.h"

/* Descriptors, which are the chain's own; -1: none. */
struct sl_chain {
	int before[SL_EXT_SLOTS];
	int classify;
	int after[SL_EXT_SLOTS];
	int end;
};

/* The slot's place in the chain. */
int *sl_chain_slot(struct sl_chain *chain, bool after, unsigned slot);

void sl_chain_init(struct sl_chain *chain);
void sl_chain_fini(struct sl_chain *chain);

/* Extensions there are in it. */
unsigned sl_chain_count(const struct sl_chain *chain);

/* 0 and the caller's *chain, or -errno and *chain is empty. */
int sl_chain_read(int map_fd, struct sl_chain *chain);

/*
 * Makes the map hold the chain, last entry first: a packet on its way meets
 * the old program of an entry or the new one, and always gets to the end. 0, or
 * -errno and some entries are changed: write what was there before.
 */
int sl_chain_write(int map_fd, const struct sl_chain *chain);

/*
 * Pins the map beside the interface's link: a program array forgets its
 * entries when the last pin or descriptor goes. With map_fd -1 only unpins what
 * was pinned there. 0 or -errno.
 */
int sl_chain_pin(int ifindex, int map_fd);

#endif /* SLUICE_CHAIN_H */
