/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What follows from the facts: pure functions, so that they can be tested with
 * the facts of machines that are not at hand. The names of the findings are
 * documented in docs/doctor.md and stay.
 */
#ifndef SLUICE_DOCTOR_H
#define SLUICE_DOCTOR_H

struct sl_findings;
struct sl_host;
struct sl_nic;

void sl_doctor_judge_host(const struct sl_host *host,
			  struct sl_findings *findings);

/* `host` is the machine that the interface is in. */
void sl_doctor_judge_nic(const struct sl_nic *nic, const struct sl_host *host,
			 struct sl_findings *findings);

/* Why something was not told, in words; `err` is a -errno. */
const char *sl_doctor_why(int err);

/* Parts of it, a file each: XDP; queues; polling and interrupts. */
void sl_doctor_judge_xdp(const struct sl_nic *nic, const struct sl_host *host,
			 struct sl_findings *findings);
void sl_doctor_judge_queues(const struct sl_nic *nic,
			    const struct sl_host *host,
			    struct sl_findings *findings);
void sl_doctor_judge_polling(const struct sl_nic *nic,
			     const struct sl_host *host,
			     struct sl_findings *findings);

#endif /* SLUICE_DOCTOR_H */
