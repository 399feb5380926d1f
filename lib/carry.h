/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What `apply` keeps of what runs: live rules, and deadlines.
 */
#ifndef SLUICE_CARRY_H
#define SLUICE_CARRY_H

struct sl_config;
struct sl_error;

/*
 * Adds to a configuration the live rules (rulelist.h) that run on any of its
 * interfaces and are not expired, each behind those of its band. A rule that it
 * has itself, of the same name and owner, takes the running one's place. Its
 * rules that run keep their deadlines.
 *
 * 0, or -errno with a message: -EINVAL when a live rule clashes with the
 * configuration or with another live rule. On failure the configuration is only
 * fit to be freed. The caller holds the lock.
 */
int sl_carry(struct sl_config *config, struct sl_error *error);

#endif /* SLUICE_CARRY_H */
