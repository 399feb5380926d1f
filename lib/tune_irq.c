// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The CPUs that the interrupt of a queue may go to. Its number is looked up each
 * time, by the name that the driver gave it.
 */
#include "tune_device.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "doctor_nic.h"
#include "sysfs.h"

/* A list of CPUs on the largest machines, each by itself. */
#define LIST_BYTES 16384

static int search(const struct sl_nic *nic, const struct sl_tune_key *key)
{
	uint32_t others = 0;

	for (size_t i = 0; i < nic->irqs.n; i++) {
		enum sl_tune_unit unit = SL_TUNE_RX;
		uint32_t queue = 0;

		/* The only one serves the only queue, whatever its name is. */
		if (nic->irqs.n > 1 &&
		    !sl_tune_irq_queue(nic->irqs.items[i].name, &unit,
				       &queue)) {
			unit = SL_TUNE_OTHER;
			queue = others++;
		}
		if (unit == key->unit && queue == key->queue)
			return nic->irqs.items[i].number;
	}
	return -ENOENT;
}

/* The number, -ENOENT, -EOPNOTSUPP or -ENOMEM. */
static int find_irq(const struct sl_tune_device *device,
		    const struct sl_tune_key *key)
{
	struct sl_nic nic = { .sysfs.visible = device->sysfs };
	int number;

	if (key->unit == SL_TUNE_INTERFACE || !device->sysfs)
		return -EOPNOTSUPP;
	memcpy(nic.name, device->name, IF_NAMESIZE);
	number = sl_nic_read_irqs(&nic);
	if (!number)
		number = search(&nic, key);
	sl_nic_fini(&nic);
	return number;
}

static int find_path(const struct sl_tune_device *device,
		     const struct sl_tune_key *key, char *path, size_t bytes)
{
	int number = find_irq(device, key);

	if (number < 0)
		return number;
	snprintf(path, bytes, "/proc/irq/%d/smp_affinity_list", number);
	return 0;
}

int sl_tune_irq_read(struct sl_tune_device *device,
		     const struct sl_tune_key *key, char **value)
{
	char path[64], text[LIST_BYTES];
	int err = find_path(device, key, path, sizeof(path));

	if (err)
		return err;
	if (!sl_sysfs_line(path, text, sizeof(text)))
		return -EOPNOTSUPP;
	*value = strdup(text);
	return *value ? 0 : -ENOMEM;
}

int sl_tune_irq_write(struct sl_tune_device *device,
		      const struct sl_tune_key *key, const char *value)
{
	char path[64];
	int err = find_path(device, key, path, sizeof(path));

	if (!err)
		err = sl_tune_file_write(path, value);
	/* What the kernel answers for one that it spreads by itself. */
	if (err == -EIO)
		snprintf(device->said, sizeof(device->said),
			 "the kernel manages this interrupt itself");
	return err == -EIO ? -EOPNOTSUPP : err;
}
