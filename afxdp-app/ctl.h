/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* sluice-fwd --ctl REQUEST: asks the forwarders that run in this network namespace. */
#ifndef SLUICE_FWD_CTL_H
#define SLUICE_FWD_CTL_H

/*
 * Sends the request to each of them and prints what they answer, JSON, to standard output; what
 * goes wrong is said. The exit status of the program.
 */
int sl_ctl_run(const char *request);

#endif /* SLUICE_FWD_CTL_H */
