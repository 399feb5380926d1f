/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Numbers, address and port ranges as written on the command line. Pure
 * functions: no system call, any thread. Each returns 0 or -EINVAL, with
 * *error a constant text that says what was expected; outputs are unchanged on
 * failure.
 */
#ifndef SLUICE_GEN_RANGE_H
#define SLUICE_GEN_RANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct address_range {
	uint8_t family;	   /* 4 or 6; 0: not given */
	uint8_t first[16]; /* network order; IPv4 in the first four */
	/*
	 * How many addresses follow the first. An IPv6 range may not cross a
	 * /64, so the low 64 bits tell its addresses apart.
	 */
	uint64_t last;
};

struct port_range {
	uint16_t first;
	uint16_t last; /* how many ports follow the first */
};

/* ADDR, ADDR/LEN (all addresses of the prefix), or ADDR-ADDR. */
int sl_gen_range_parse_address(const char *text, struct address_range *range,
			       const char **error);

/* N or N-M, 0 to 65535. */
int sl_gen_range_parse_port(const char *text, struct port_range *range,
			    const char **error);

/* The low 64 bits of an IPv6 address, or the IPv4 address, in host order. */
uint64_t sl_gen_range_low(const struct address_range *range);

/* An unsigned decimal number from `low` to `high`, nothing after it. */
int sl_gen_range_parse_number(const char *text, uint64_t low, uint64_t high,
			      uint64_t *number);

/* The same with an optional k, M or G (powers of ten), and a fraction: 1.5M. */
int sl_gen_range_parse_scaled(const char *text, uint64_t low, uint64_t high,
			      uint64_t *number);

/* aa:bb:cc:dd:ee:ff */
int sl_gen_range_parse_mac(const char *text, uint8_t mac[6],
			   const char **error);

/* N, N-M, N,M-O ...: CPU numbers below `bound`, ascending or not, none twice. */
int sl_gen_range_parse_cpus(const char *text, unsigned int *cpus, size_t room,
			    size_t *count, const char **error);

/* fin,syn,rst,psh,ack,urg,ece,cwr, or a number up to 0xff. */
int sl_gen_range_parse_flags(const char *text, uint8_t *flags,
			     const char **error);

#endif /* SLUICE_GEN_RANGE_H */
