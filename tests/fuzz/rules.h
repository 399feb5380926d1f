/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Rule lists and packets for the compiler's fuzz target. */
#ifndef SLUICE_FUZZ_RULES_H
#define SLUICE_FUZZ_RULES_H

#include <stdint.h>

struct draw;
struct sl_config;
struct sl_packet;

/*
 * A configuration that the parser accepts: sets, and rules with every verdict
 * and option that decides what matches, for the interfaces `a` and `b`. Values
 * come from few, so that rules overlap, touch and repeat. The text is the
 * caller's to free.
 */
char *rules_text(struct draw *draw);

/* An address, port or MAC as rules_text() likes them; addresses 16 bytes. */
void rules_address(struct draw *draw, uint8_t address[16]);
uint16_t rules_port(struct draw *draw);
void rules_mac(struct draw *draw, uint8_t mac[6]);

/*
 * A packet as the parser could have found it, with facts that lie on, in and
 * beside what some rule of the configuration asks.
 */
void rules_packet(struct draw *draw, const struct sl_config *config,
		  struct sl_packet *packet);

#endif /* SLUICE_FUZZ_RULES_H */
