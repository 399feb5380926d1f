/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The command line of sluice-gen. One table gives the parser, the checks and
 * the help.
 */
#ifndef SLUICE_GEN_OPTIONS_H
#define SLUICE_GEN_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "range.h"

#define OPTIONS_THREADS_MAX 64

/*
 * Frames the kernel makes and hands over at once. 64 is a NAPI poll's budget
 * and a quarter of veth's ring of 256, so a receiver that polls in between
 * (veth's runs on the sender's CPU, after each batch) never overflows; larger
 * batches were not faster. The kernel takes up to 256.
 */
#define OPTIONS_BATCH 64
#define OPTIONS_BATCH_MAX 256

#define OPTIONS_SECONDS 10

struct options {
	const char *interface;
	bool tcp;
	struct address_range src, dst;
	struct port_range sport, dport;
	bool src_mac_given, dst_mac_given;
	uint8_t src_mac[6], dst_mac[6];
	uint32_t size_bytes; /* frame without FCS; 0: the shortest, 60 or more */
	bool vlan_given;
	uint16_t vlan;
	uint8_t flags;
	bool random;
	uint64_t seed; /* 0: not given */
	const char *pcap;
	uint64_t rate_pps;    /* 0: as fast as it goes */
	uint64_t count;	      /* 0: no bound */
	uint64_t duration_ns; /* always a bound */
	uint64_t stats_ns;    /* 0: no live lines; 0.1 s or more */
	uint32_t batch;
	uint32_t threads;
	unsigned int cpus[OPTIONS_THREADS_MAX];
	size_t n_cpus; /* 0: the first ones this process may run on */
	bool json, force, help;
};

/*
 * Reads the command line; the strings in *options point into argv. 0, or -EINVAL
 * with the message on `err`; *options is then undefined.
 */
int sl_gen_options_parse(int argc, char **argv, struct options *options,
			 FILE *err);

void sl_gen_options_help(FILE *out);

#endif /* SLUICE_GEN_OPTIONS_H */
