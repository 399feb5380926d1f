/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Which settings an interface should have, and why. A pure function of what the
 * card has (lib/doctor_nic.h) and what is wished; what stands there now is read
 * after that.
 */
#ifndef SLUICE_TUNE_PLAN_H
#define SLUICE_TUNE_PLAN_H

#include "config.h"
#include "tune_item.h"

struct sl_nic;
struct sl_tune_device;

struct sl_tune_wish {
	enum sl_poll poll;
	uint32_t workers;     /* 0: one a CPU */
	const uint32_t *cpus; /* of the workers, in order; at least one */
	size_t n_cpus;
	bool cpus_given; /* by the operator: not to be chosen by NUMA node */
	uint32_t defer;	 /* 0: ours */
	uint64_t timeout_ns; /* 0: ours */
	/* `--set`, by setting; NULL: ours. */
	const char *set[SL_TUNE_SETTINGS];
};

/*
 * Adds a row for each setting, in the order in which they are to be set, with
 * `wanted` and `why`. 0 or -ENOMEM.
 */
int sl_tune_plan(const struct sl_nic *nic, const struct sl_tune_wish *wish,
		 struct sl_tune_list *plan);

/*
 * Reads what each row holds now, and brings what is wanted into the form of the
 * device: the outcome is SL_TUNE_SAME, _CHANGE, _LATER or _UNSUPPORTED. 0, or
 * -ENODEV, -ENOMEM, or -EINVAL for a value of the operator's that is none:
 * *bad is its row.
 */
int sl_tune_plan_look(struct sl_tune_device *device, struct sl_tune_list *plan,
		      const struct sl_tune_item **bad);

#endif /* SLUICE_TUNE_PLAN_H */
